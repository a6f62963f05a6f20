"""Which image and class each row of a sample submission of masks is for.

ImageId_ClassId, EncodedPixels      the id of the image and the code of the class, joined by "_"
ImageId, ClassId, EncodedPixels     in two columns
ImageId, EncodedPixels              one class; or all classes in rows of the same id
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comp.core.errors import first
from comp.data.index.data_tables import is_usage
from comp.data.index.tables import Table


@dataclass(frozen=True)
class SampleRows:
    """The rows of a sample of masks.

    `images`  (R,) the id of the image of each row
    `codes`   (R,) the code of its class, or None where rows name no class
    `joined`  whether both stand in one column
    """

    images: tuple[str, ...]
    codes: tuple[str | None, ...]
    joined: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The images, each once, in the order of the sample."""
        return tuple(dict.fromkeys(self.images))


def read_sample_rows(table: Table, key: str, known: Callable[[str], bool]) -> SampleRows:
    """The rows of a sample. key: the column of ids; known: whether an id has an image.

    The column of the class is the one between that of the ids and the last. Where ids all have an
    "_" and not all have an image, the class is what follows their last "_".
    """
    ids = table.values[key]
    rest = [name for name in table.columns if name != key and not is_usage(table, name)]
    if len(rest) > 1:
        return SampleRows(tuple(ids), tuple(table.values[rest[0]]))
    if all(known(name) for name in dict.fromkeys(ids)) or not all("_" in name for name in ids):
        return SampleRows(tuple(ids), (None,) * len(ids))
    parts = [name.rpartition("_") for name in ids]
    return SampleRows(tuple(p[0] or p[2] for p in parts), tuple(p[2] for p in parts), joined=True)


def row_complaints(
    rows: SampleRows, codes: Sequence[str] | None, lines: Sequence[int] | None = None
) -> list[str]:
    """Complaints about images and classes with several rows, and about unknown classes.

    codes: those of the classes, or None for any. lines: (R,) the line of each row, for the message.
    """
    places: dict[tuple[str, str | None], list[int]] = {}
    for row, pair in enumerate(zip(rows.images, rows.codes, strict=True)):
        places.setdefault(pair, []).append(row)
    twice = [
        f"{image} {code or ''}".strip()
        + (f" on lines {' and '.join(str(lines[n]) for n in some[:4])}" if lines else "")
        for (image, code), some in places.items()
        if len(some) > 1
    ]
    out = [f"{len(twice)} images and classes have several rows: {first(twice)}"] if twice else []
    unknown = sorted({c for c in rows.codes if c is not None and codes and c not in codes})
    if unknown:
        out.append(f"classes that are unknown: {first(unknown)}; known: {first(codes or (), 12)}")
    return out
