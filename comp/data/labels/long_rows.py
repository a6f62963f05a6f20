"""Tables with several rows for each image: a row for each label, or for each image and class.

`data.rows: label`  image, label               an image has the labels of all its rows
`data.rows: class`  image_class, 0 or 1        the class stands in the id, behind or before
                    image, class, 0 or 1       ... or stands in `data.class_column`
`data.rows: mean`   image, labels or numbers   several people said something: the mean counts
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import did_you_mean, first
from comp.core.progress import note
from comp.data.index.tables import Table, make_table
from comp.data.labels.columns import read_zero_one
from comp.data.labels.labels import Labels, mark, read_labels, sort_classes
from comp.data.labels.mean_rows import mean_columns
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]
IsImage = Callable[[str], bool]

SEPARATORS = "_-/.: |"  # that may stand between an image and a class


def read_rows(
    table: Table,
    data: DataConfig,
    task: Task,
    is_image: IsImage,
    known: tuple[str, ...] | None = None,
) -> tuple[Table, Labels]:
    """The table with one row for each image, and its labels, by `data.rows`.

    is_image: whether an id has an image. known: see `read_labels`.
    """
    if data.rows == "image" or data.id not in table.values:
        return table, read_labels(table, data, task, known)
    complaints = _wrong_keys(table, data, task)
    if complaints:
        return table, Labels((), None, tuple(complaints))
    if data.rows == "label":
        return _labels_of_rows(table, data, known)
    if data.rows == "mean":
        return _means_of_rows(table, data, task, known)
    return _classes_of_rows(table, data, task, is_image, known)


def _wrong_keys(table: Table, data: DataConfig, task: Task) -> list[str]:
    columns = [*data.target, *([data.class_column] if data.class_column else [])]
    out = [table.no_column(name) for name in columns if name not in table.values]
    if len(data.target) != 1 and data.rows != "mean":
        out.append(f"data.rows: {data.rows} needs one column in data.target: {first(data.target)}")
    if data.rows == "label" and task.target_ndim == 1:
        out.append("data.rows: label gives an image several labels: use task: multilabel")
    return out


def _labels_of_rows(
    table: Table, data: DataConfig, known: tuple[str, ...] | None
) -> tuple[Table, Labels]:
    ids, cells = table.values[data.id], [c.strip() for c in table.values[data.target[0]]]
    lost = [name for name in data.rename if name not in cells and known is None]
    complaints = [f"data.rename: no label is {n!r}.{did_you_mean(n, {*cells})}" for n in lost]
    rows: dict[str, list[str]] = {}
    for name, cell in zip(ids, cells, strict=True):
        rows.setdefault(name, []).append(data.rename.get(cell, cell))
    present = sort_classes([label for labels in rows.values() for label in labels if label])
    classes = known or data.classes or present
    odd = [name for name in present if name not in classes]
    complaints += [
        f"labels that are none of the classes {first(classes, 12)}: {first(odd)}"
    ] * bool(odd)
    short, more = _one_row_each(table, data, ids)
    complaints += more
    if complaints or not present:
        complaints += [] if present else [f"column {data.target[0]!r} holds no label at all"]
        return short, Labels(classes, None, tuple(complaints))
    sets = [[label for label in dict.fromkeys(labels) if label] for labels in rows.values()]
    twice = sum(len([*filter(None, own)]) for own in rows.values()) - sum(map(len, sets))
    _tell(table, f"{len(ids)} rows of one label are joined to {len(rows)} images", twice)
    target = mark(sets, classes, [False] * len(sets))
    return short, Labels(classes, target, (), tuple("|".join(own) for own in sets))


def _means_of_rows(
    table: Table, data: DataConfig, task: Task, known: tuple[str, ...] | None
) -> tuple[Table, Labels]:
    images = table.values[data.id]
    short, complaints = _one_row_each(table, data, images)
    columns, reading, more = mean_columns(table, data, task, short.values[data.id])
    if complaints or more:
        return short, Labels((), None, (*complaints, *more))
    _tell(table, f"{len(images)} rows are averaged to {len(short)} images", 0)
    short = make_table({**short.values, **columns}, table.path, short.lines)
    read = read_labels(short, reading, task, known)
    return short, read


def _tell(table: Table, text: str, twice: int) -> None:
    again = f"; {twice} rows say what another one says already" if twice else ""
    note(f"{table.path}: {text}{again}")


def _one_row_each(table: Table, data: DataConfig, images: Sequence[str]) -> tuple[Table, list[str]]:
    """A table with a row for each image: its id, group, fold and weight; and complaints about
    images whose rows say different ones. images: (N,) of the rows."""
    line: dict[str, int] = {}
    for row, name in enumerate(images):
        line.setdefault(name, row)
    columns, complaints = {data.id: [*line]}, list[str]()
    for column in (data.group, data.fold, data.weight):
        if column in (None, AUTO_GROUP) or column not in table.values or column == data.id:
            continue
        cells = table.values[column]
        columns[column] = [cells[row] for row in line.values()]
        odd = {n for n, cell in zip(images, cells, strict=True) if cell != cells[line[n]]}
        if odd:
            complaints.append(
                f"column {column!r}: the rows of {len(odd)} images differ: {first(sorted(odd))}"
            )
    lines = [table.lines[row] for row in line.values()]
    return make_table(columns, table.path, lines), complaints


def split_id(text: str, is_image: IsImage) -> tuple[str, str] | None:
    """The image and the class that an id joins: the longest beginning, up to one of SEPARATORS,
    that has an image; else the longest end that has one. None where there is none."""
    places = [n for n in range(1, len(text) - 1) if text[n] in SEPARATORS]
    for place in reversed(places):
        if is_image(text[:place]):
            return text[:place], text[place + 1 :]
    for place in places:
        if is_image(text[place + 1 :]):
            return text[place + 1 :], text[:place]
    return None


def image_of(text: str, data: DataConfig, is_image: IsImage) -> str:
    """The image of a row of the training table, from its cell in the column of ids."""
    if data.rows != "class" or data.class_column is not None:
        return text
    pair = split_id(text, is_image)
    return text if pair is None else pair[0]


def _classes_of_rows(
    table: Table, data: DataConfig, task: Task, is_image: IsImage, known: tuple[str, ...] | None
) -> tuple[Table, Labels]:
    ids = table.values[data.id]
    if data.class_column is None:
        cache: dict[str, bool] = {}

        def seen(name: str) -> bool:
            if name not in cache:
                cache[name] = is_image(name)
            return cache[name]

        pairs = [split_id(name, seen) for name in ids]
        lost = [name for name, pair in zip(ids, pairs, strict=True) if pair is None]
        if lost:
            text = (
                f"{len(lost)} ids are not an image and a class with one of {SEPARATORS!r} between "
                f"them (data.rows: class): {first(lost)}"
            )
            return table, Labels((), None, (text,))
        images, names = zip(*(pair for pair in pairs if pair), strict=True) if ids else ((), ())
    else:
        images, names = tuple(ids), tuple(c.strip() for c in table.values[data.class_column])
    short, complaints = _one_row_each(table, data, images)
    classes = known or data.classes or sort_classes(names)
    odd = sorted({*names} - {*classes})
    complaints += [f"classes that are none of {first(classes, 12)}: {first(odd)}"] * bool(odd)
    read = read_zero_one({data.target[0]: table.values[data.target[0]]}, table.lines, data)
    complaints += read.complaints
    if complaints or read.target is None:
        return short, Labels(classes, None, tuple(complaints))
    for text in read.notes:
        note(f"{table.path}: {text}")
    return short, _filled(
        table, data, task, short.values[data.id], images, names, classes, read.target[:, 0]
    )


def _filled(
    table: Table,
    data: DataConfig,
    task: Task,
    ids: Sequence[str],
    images: Sequence[str],
    names: Sequence[str],
    classes: tuple[str, ...],
    values: Array,
) -> Labels:
    """The labels of all images, from the value of each row: (N,) for the images and classes."""
    column = {name: place for place, name in enumerate(classes)}
    row = {name: place for place, name in enumerate(ids)}
    rows = np.array([row[name] for name in images], dtype=np.int64)
    columns = np.array([column[name] for name in names], dtype=np.int64)
    target = np.full((len(ids), len(classes)), UNKNOWN - 1, dtype=np.int64)
    target[rows, columns] = values
    odd = sorted({images[n] for n in np.flatnonzero(target[rows, columns] != values).tolist()})
    complaints = [f"{len(odd)} images have a class with different values: {first(odd)}"] * bool(odd)
    empty = target == UNKNOWN - 1
    if empty.any():
        target[empty] = {"zero": 0, "unknown": UNKNOWN, "refuse": 0}[data.blank]
        bare = [ids[n] for n in np.flatnonzero(empty.any(axis=1)).tolist()]
        if data.blank == "refuse":
            complaints.append(
                f"{len(bare)} images have no row for some class: {first(bare)}; set data.blank to "
                "zero (no label), or to unknown (nobody said: no loss and no score)"
            )
    if task.target_ndim == 1 and not complaints:
        several = [ids[n] for n in np.flatnonzero((target == 1).sum(axis=1) != 1).tolist()]
        if several:
            complaints.append(
                f"{len(several)} images have none or several classes: {first(several)}; use task: "
                "multilabel"
            )
    if complaints:
        return Labels(classes, None, tuple(complaints))
    twice = len(rows) - int((~empty).sum())
    _tell(table, f"{len(rows)} rows of an image and a class are joined to {len(ids)} images", twice)
    return Labels(classes, target.argmax(axis=1) if task.target_ndim == 1 else target)
