"""Tables with several rows for each image that are averaged: `data.rows: mean`, one row a rater.

Numbers are averaged column by column, and so are zeros and ones, which then are shares. Classes in
a single column are votes: each class gets a column with its share of the rows of the image, and
`data.soft` says what becomes of shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.data.index.tables import Table
from comp.data.labels.columns import is_blank, number_of, zero_or_one
from comp.data.labels.labels import sort_classes
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]


def mean_columns(
    table: Table, data: DataConfig, task: Task, ids: Sequence[str]
) -> tuple[dict[str, list[str]], DataConfig, list[str]]:
    """The label columns with a row for each of `ids`, the config that reads them, and complaints.

    ids: the images of the table, each once.
    """
    place = {name: row for row, name in enumerate(ids)}
    rows = np.array([place[name] for name in table.values[data.id]], dtype=np.int64)
    names = [name for name in data.target if name in table.values]
    if len(names) < len(data.target):
        return {}, data, []  # the reader of labels names what is missing
    if task.target_ndim == 1 and len(names) == 1:
        return _votes(table.values[names[0]], data, rows, len(ids))
    columns, complaints = {}, list[str]()
    for name in names:
        values = [_number(cell) for cell in table.values[name]]
        lost = [
            f"line {line}: {cell!r}"
            for cell, value, line in zip(table.values[name], values, table.lines, strict=True)
            if value is None and not is_blank(cell)
        ]
        if lost:
            complaints.append(
                f"data.rows: mean averages numbers, or zeros and ones; column {name!r} holds "
                f"{first(lost, 5)}"
            )
        columns[name] = _means(values, rows, len(ids))
    return columns, data, complaints


def _number(cell: str) -> float | None:
    """The number in a cell; of yes, no, true and false 1 or 0."""
    number = number_of(cell)
    return zero_or_one(cell) if number is None else number


def _means(values: Sequence[float | None], rows: Array, count: int) -> list[str]:
    """The mean of the cells of each image that are filled, as text; nothing where none is."""
    there = np.array([value is not None for value in values])
    filled = np.array([0.0 if value is None else value for value in values])
    sums = np.bincount(rows[there], filled[there], count)
    often = np.bincount(rows[there], minlength=count)
    pairs = zip(sums.tolist(), often.tolist(), strict=True)
    return [f"{total / times:.12g}" if times else "" for total, times in pairs]


def _votes(
    cells: Sequence[str], data: DataConfig, rows: Array, count: int
) -> tuple[dict[str, list[str]], DataConfig, list[str]]:
    """A column for each class with its share of the rows."""
    texts = [data.rename.get(cell.strip(), cell.strip()) for cell in cells]
    if "" in texts:
        return {}, data, [f"data.rows: mean: {texts.count('')} rows have no class"]
    names = data.classes or sort_classes(texts)
    odd = sorted({*texts} - {*names})
    if odd:
        return {}, data, [f"labels that are none of the classes {first(names, 12)}: {first(odd)}"]
    number = {name: place for place, name in enumerate(names)}
    table = np.zeros((count, len(names)))
    np.add.at(table, (rows, np.array([number[text] for text in texts], dtype=np.int64)), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    columns = {
        name: [f"{share:.12g}" for share in column]
        for name, column in zip(names, shares.T.tolist(), strict=True)
    }
    return columns, data.model_copy(update={"target": names, "rename": {}}), []
