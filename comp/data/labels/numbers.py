"""Columns of measured numbers: the targets of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.data.index.tables import Table
from comp.data.labels.bins import measure_of
from comp.data.labels.columns import is_blank, number_of

Array = np.ndarray[Any, Any]

_LEAST = {"none": -np.inf, "log1p": -1.0}  # numbers must be above it


def read_numbers(
    table: Table, data: DataConfig, known: tuple[str, ...] | None
) -> tuple[Array, list[str]]:
    """The numbers in the columns `data.target`, (N, C) float64, and complaints.

    `1.5`, `1,5`, `$1,200` and `5 %` are numbers. Complaints are about blank cells, cells that are
    no number, columns in which all rows have one number, and numbers that `data.transform` cannot
    take. known: the columns of the training table, for a table of answers.
    """
    names = known or data.target
    complaints: list[str] = []
    columns = []
    for name in names:
        cells = table.values[name]
        values = _numbers(cells)
        columns.append([np.nan if value is None else value for value in values])
        complaints += _not_numbers(name, cells, values, table.lines)
        if known is None and len({*values}) == 1 and None not in values:
            complaints.append(f"column {name!r} is {cells[0]} in each row: nothing can be learned")
    target = np.array(columns, dtype=np.float64).reshape(len(names), -1).T
    low = _LEAST[data.transform]
    bad = [line for row, line in zip(target, table.lines, strict=True) if (row <= low).any()]
    if bad and low > -np.inf:
        complaints.append(
            f"data.transform: {data.transform} takes numbers above {low:g}; lines {first(bad)} "
            "hold others. Use data.transform: none"
        )
    return target, complaints


def _numbers(cells: Sequence[str]) -> list[float | None]:
    """The number of each cell. A comma is the decimal point of a column where it must be one."""
    found = {cell: measure_of(cell) for cell in {*cells}}
    lost = [cell for cell, value in found.items() if value is None]
    if any("," in cell and number_of(cell) is not None for cell in lost):
        found = {cell: number_of(cell) for cell in found}
    return [found[cell] for cell in cells]


def _not_numbers(
    name: str, cells: Sequence[str], values: Sequence[float | None], lines: Sequence[int]
) -> list[str]:
    rows = list(zip(cells, values, lines, strict=True))
    blank = [line for cell, value, line in rows if value is None and is_blank(cell)]
    wrong = [
        f"line {line}: {cell!r}"
        for cell, value, line in rows
        if value is None and not is_blank(cell)
    ]
    out = []
    if blank:
        out.append(
            f"column {name!r} is blank in {len(blank)} rows: lines {first(blank)}. An image "
            "without its number cannot be trained on: take these rows out of the table"
        )
    if wrong:
        out.append(f"column {name!r}: {len(wrong)} cells are no number: {first(wrong, 5)}")
    return out
