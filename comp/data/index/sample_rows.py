"""Which image and class each row of a sample submission of masks asks for.

ImageId_ClassId, EncodedPixels      the id of the image and the code of the class, joined by "_"
ImageId, ClassId, EncodedPixels     in two columns
ImageId, EncodedPixels              one class; or all classes in rows of the same id
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comp.core.errors import first
from comp.data.index.tables import Table


@dataclass(frozen=True)
class Asked:
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


def read_asked(table: Table, key: str, known: Callable[[str], bool]) -> Asked:
    """What the rows of a sample ask for. key: the column of ids; known: whether an id has an image.

    The column of the class is one between that of the ids and the last. Ids that all have
    an "_", and not all an image, are cut at their last one.
    """
    ids = table.values[key]
    rest = [name for name in table.columns if name != key]
    if len(rest) > 1:
        return Asked(tuple(ids), tuple(table.values[rest[0]]))
    if all(known(name) for name in dict.fromkeys(ids)) or not all("_" in name for name in ids):
        return Asked(tuple(ids), (None,) * len(ids))
    parts = [name.rpartition("_") for name in ids]
    return Asked(tuple(p[0] or p[2] for p in parts), tuple(p[2] for p in parts), joined=True)


def odd_rows(
    asked: Asked, codes: Sequence[str] | None, lines: Sequence[int] | None = None
) -> list[str]:
    """Complaints about rows that are there twice, and about codes of no class.

    lines: (R,) the line of each row, for the message.
    """
    rows: dict[tuple[str, str | None], list[int]] = {}
    for row, pair in enumerate(zip(asked.images, asked.codes, strict=True)):
        rows.setdefault(pair, []).append(row)
    twice = [
        f"{image} {code or ''}".strip()
        + (f" on lines {' and '.join(str(lines[n]) for n in some[:4])}" if lines else "")
        for (image, code), some in rows.items()
        if len(some) > 1
    ]
    out = [f"{len(twice)} images and classes have several rows: {first(twice)}"] if twice else []
    unknown = sorted({c for c in asked.codes if c is not None and codes and c not in codes})
    if unknown:
        out.append(f"classes that are unknown: {first(unknown)}; known: {first(codes or (), 12)}")
    return out
