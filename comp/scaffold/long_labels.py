"""Tables that seem to have several rows for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from comp.data.index.tables import Table
from comp.data.labels.long_rows import split_id
from comp.scaffold.label_columns import LabelColumns
from comp.scaffold.wide_labels import is_zero_one
from comp.tasks.starters import kind_of

_SEVERAL = 0.05  # of the ids have rows with different labels: then a row is a label
_CLASSES = 200  # at most, that a column of classes holds


def rows_of_labels(table: Table, key: str, name: str) -> LabelColumns | None:
    """The labels of a table with a row for each label; None where its ids hardly repeat."""
    pairs = {*zip(table.values[key], table.values[name], strict=True)}
    counts = Counter(image for image, _ in pairs)
    several = sum(count > 1 for count in counts.values())
    if several < 2 or several < _SEVERAL * len(counts):
        return None
    text = (
        f"{several} of {len(counts)} ids have rows with different labels: each row is read as one "
        "label of its image"
    )
    return LabelColumns((name,), kind_of("columns"), None, (text,), {"rows": "label"})


def rows_of_classes(table: Table, key: str) -> LabelColumns | None:
    """The labels of a table with a row for each image and class; the class has a column."""
    ids = table.values[key]
    rest = [name for name in table.columns if name != key]
    answers = [name for name in rest if is_zero_one(table.values[name])]
    for name in rest:
        classes = set(table.values[name])
        full = len({*zip(ids, table.values[name], strict=True)}) == len({*ids}) * len(classes)
        if name not in answers and answers and 1 < len(classes) <= _CLASSES and full:
            return _joined(table, answers[-1], {"rows": "class", "class_column": name})
    return None


def joined_ids(table: Table, key: str, is_image: Callable[[str], bool]) -> LabelColumns | None:
    """The labels of a table whose ids join an image and a class, as img_1_cat; None for others."""
    pairs = [split_id(name, is_image) for name in table.values[key]]
    found = [pair for pair in pairs if pair is not None]
    classes = {name for _, name in found}
    answers = [n for n in table.columns if n != key and is_zero_one(table.values[n])]
    if len(found) < len(pairs) or not answers or not 1 < len(classes) <= _CLASSES:
        return None
    return _joined(table, answers[-1], {"rows": "class"})


def _joined(table: Table, answer: str, keys: dict[str, str]) -> LabelColumns:
    text = "each row is an image and a class, with 0 or 1"
    return LabelColumns((answer,), kind_of("columns"), None, (text,), keys)
