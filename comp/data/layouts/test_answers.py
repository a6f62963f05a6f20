"""The true labels of the test images, where there are any: `data.test_answers`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import DataError, complain, first
from comp.data.index import file_match
from comp.data.index.data_tables import read_data_table
from comp.data.index.masks import Masks
from comp.data.index.tables import Table
from comp.data.labels import labels
from comp.data.labels.long_rows import image_of, read_rows
from comp.data.labels.row_weights import read_weights
from comp.data.layouts import coco, rle_table
from comp.data.layouts.layouts import id_column, open_root, test_folder
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]


def read_answers(
    data: DataConfig, task: Task, classes: tuple[str, ...], test_ids: Sequence[str]
) -> Array | None:
    """The true target of the test ids, in their order, from `data.test_answers`; None without it.

    The table has the columns of the training table. Where the layout has no such table: an id
    column and one answer column, of class names or of class numbers.
    """
    if data.test_answers is None:
        return None
    table = read_data_table(open_root(data) / data.test_answers, data)
    key = id_column(table, data)
    table, read = _answers(table, key, data, task, classes, {*test_ids})
    ids = table.values[key]
    complaints = file_match.repeated_rows(ids, table.lines)
    missing = sorted({*test_ids} - {*ids})
    if missing:
        complaints.append(f"{len(missing)} test ids have no answer: {first(missing)}")
    complain(DataError, f"{table.path}: not the answers:", [*complaints, *read.complaints])
    assert read.target is not None
    place = {name: row for row, name in enumerate(ids)}
    return np.asarray(read.target[[place[name] for name in test_ids]])


def answer_weights(data: DataConfig, test_ids: Sequence[str]) -> Array | None:
    """(T,) how much each of the test ids counts in the score against `data.test_answers`, by its
    column `data.weight`; None without one of them."""
    if data.test_answers is None or data.weight is None:
        return None
    table = read_data_table(open_root(data) / data.test_answers, data)
    weights, complaints = read_weights(table, data)
    complain(DataError, f"{table.path}: not the answers:", complaints)
    assert weights is not None
    known = {*test_ids}
    images = [image_of(name, data, known.__contains__) for name in table.values[data.id]]
    place = {name: row for row, name in enumerate(images)}
    return np.asarray(weights[[place[name] for name in test_ids]])


def _answers(
    table: Table,
    key: str,
    data: DataConfig,
    task: Task,
    classes: tuple[str, ...],
    test_ids: set[str],
) -> tuple[Table, labels.Labels]:
    """The table with a row for each image, and what it answers."""
    if data.target:
        return read_rows(table, data, task, test_ids.__contains__, classes)
    rest = [name for name in table.columns if name != key]
    if len(rest) != 1:
        return table, labels.Labels((), None, (f"which column is the answer? {first(rest)}",))
    texts = table.values[rest[0]]
    numbers = {str(number): name for number, name in enumerate(classes)}
    if not {*texts} & {*classes}:
        texts = [numbers.get(text, text) for text in texts]
    return table, labels.number(texts, table.lines, task, known=classes)


def read_true_masks(
    data: DataConfig,
    task: Task,
    classes: tuple[str, ...],
    test_ids: Sequence[str],
    codes: tuple[str, ...] | None = None,
) -> Masks | None:
    """The true masks of the test ids, in their order, from `data.test_answers`; None without it.

    COCO's json, or a table of run lengths, which calls the classes `codes`.
    """
    if data.test_answers is None:
        return None
    path = open_root(data) / data.test_answers
    if path.suffix == ".json":
        return coco.read_masks(path, data, task, classes, test_ids)
    listing = file_match.list_files(test_folder(data), Path(data.root))
    return rle_table.read_masks(path, data, task, classes, test_ids, listing, codes)
