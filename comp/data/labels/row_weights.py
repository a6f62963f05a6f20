"""`data.weight`: the column that says how much each image counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.data.index.tables import Table
from comp.data.labels.columns import number_of

Array = np.ndarray[Any, Any]


def read_weights(table: Table, data: DataConfig) -> tuple[Array | None, list[str]]:
    """(N,) float64 the weight of each row, and complaints; None where no column is named.

    A weight is 0 or more, and at least one is above 0.
    """
    if data.weight is None:
        return None, []
    if data.weight not in table.values:
        return None, [f"data.weight: {table.no_column(data.weight)}"]
    cells = table.values[data.weight]
    found = [number_of(cell) for cell in cells]
    bad = [
        f"line {line}: {cell!r}"
        for cell, value, line in zip(cells, found, table.lines, strict=True)
        if value is None or value < 0
    ]
    if bad:
        return None, [
            f"data.weight: {len(bad)} cells of column {data.weight!r} are no number from 0 on: "
            f"{first(bad, 5)}"
        ]
    weights = np.array(found, dtype=np.float64)
    if len(weights) and not weights.any():
        return None, [f"data.weight: column {data.weight!r} is 0 in each row: nothing would count"]
    return weights, []
