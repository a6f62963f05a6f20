"""Sample submissions with a row for each image and class; some rows may be missing.

ID_0001_any, 0.5       the class stands in the id, behind the image or before it
ID_0001, any, 0.5      ... or stands in a column of its own
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from comp.data.index.data_tables import is_usage
from comp.data.index.sample_rows import SampleRows
from comp.data.index.tables import Table
from comp.data.labels.long_rows import split_id


def sample_pairs(table: Table, key: str, is_image: Callable[[str], bool]) -> SampleRows | None:
    """The image and the class of each row, where images have a row for each class; None for a
    sample with a row for each image.

    key: the column of ids; is_image: whether an id has an image.
    """
    ids = table.values[key]
    if len({*ids}) < len(ids):
        column = class_column(table, key)
        return None if column is None else SampleRows(tuple(ids), tuple(table.values[column]))
    if not ids or is_image(ids[0]):
        return None
    found = [pair for name in ids if (pair := split_id(name, is_image)) is not None]
    images, classes = [image for image, _ in found], [name for _, name in found]
    if len(found) < len(ids) or not _is_grid(images, classes):
        return None
    return SampleRows(tuple(images), tuple(classes), joined=True)


def class_column(table: Table, key: str) -> str | None:
    """The column that says for which class each row is, where the ids repeat; None without one."""
    rest = [name for name in table.columns if name != key and not is_usage(table, name)]
    found = (name for name in rest[: max(1, len(rest) - 1)] if len(rest) > 1)
    return next((n for n in found if _is_grid(table.values[key], table.values[n])), None)


def _is_grid(images: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether no image has two rows for a class, and some image has one for each of several."""
    pairs, names = {*zip(images, classes, strict=True)}, {*classes}
    most = max(Counter(images).values(), default=0)
    return len(names) > 1 and len(pairs) == len(images) and most == len(names)
