"""What several columns of numbers beside the ids seem to be: classes, labels, shares, unknowns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.data.index.tables import Table
from comp.data.labels.columns import is_blank, number_of, one_of_columns, share_in, zero_or_one
from comp.scaffold.label_columns import LabelColumns
from comp.tasks.starters import kind_of

_SURE = 8
_ANY = DataConfig(root=".")


def is_zero_one(cells: Sequence[str]) -> bool:
    """Whether a column holds zeros and ones, however they are written; blank and -1 beside them."""
    some = {cell for cell in set(cells) if not is_blank(cell) and number_of(cell) != -1}
    return bool(some) and all(zero_or_one(cell) is not None for cell in some)


def wide_labels(table: Table, names: Sequence[str]) -> LabelColumns | None:
    """The labels that these columns are together; None where they are not zeros, ones or shares."""
    columns = {name: table.values[name] for name in names}
    if all(map(is_zero_one, columns.values())):
        return _zeros_and_ones(columns)
    numbers = [share_in(cell) for cells in columns.values() for cell in set(cells)]
    if None in numbers:
        return None
    found = one_of_columns(columns, _ANY)
    if found.complaints:
        text = "shares or votes of the classes: the class is the largest"
        return LabelColumns(
            tuple(names), kind_of("class", len(names)), None, (text,), {"soft": "argmax"}
        )
    if all(0 <= number <= 1 for number in numbers if number is not None):
        text = "shares of single labels: 0.5 and more is a 1"
        return LabelColumns(tuple(names), kind_of("columns"), None, (text,), {"soft": "round"})
    return None


def _zeros_and_ones(columns: dict[str, list[str]]) -> LabelColumns:
    names, cells = tuple(columns), {cell for cells in columns.values() for cell in cells}
    blank, zeros = any(map(is_blank, cells)), any(zero_or_one(cell) == 0 for cell in cells)
    unknown = sorted(cell for cell in cells if number_of(cell) == -1)
    if not (blank and zeros) and not unknown:
        rows = len(columns[names[0]])
        sure = len(names) > 2 or rows >= _SURE  # two columns may be so by chance
        if sure and one_of_columns(columns, _ANY).number is not None:
            text = (
                "each row has exactly one 1: one class per image; if an image may have several, "
                "task: multilabel"
            )
            return LabelColumns(names, kind_of("class", len(names)), None, (text,))
    if not blank and not unknown:
        return LabelColumns(names, kind_of("columns"))
    keys: dict[str, Any] = {}
    doubts = []
    if blank:
        keys["blank"] = "unknown" if zeros else "zero"
        doubts.append(
            "blank cells are read as unknown, since there are zeros too: no loss and no score; or "
            "blank: zero"
            if zeros
            else "blank cells are read as zeros, since there are no others; or blank: unknown"
        )
    if unknown:
        keys["unknown"] = unknown
        doubts.append(f"{first(unknown)} is read as unknown: no loss and no score")
    return LabelColumns(names, kind_of("columns"), None, tuple(doubts), keys)


def shares_of_classes(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Of these columns, all that hold numbers, where together they are shares of the classes."""
    numeric = tuple(
        name
        for name in names
        if all((number := share_in(cell)) is not None and number >= 0
               for cell in set(table.values[name]))
    )  # fmt: skip
    if len(numeric) < 2:
        return ()
    sums = np.array([[share_in(c) for c in table.values[name]] for name in numeric], dtype=float)
    shares = (np.abs(sums.sum(axis=0) - 1) <= 0.02).all() and (sums % 1 > 0).any()
    return numeric if shares else ()
