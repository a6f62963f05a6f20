"""Ranges of measured numbers, so that folds can be stratified by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

OF_CLASS = "="  # in the name of a column: it is a class of a task, 0 or 1
_MOST = 10  # ranges per column
_ROWS = 20  # of each range, on average


def ranges_of(numbers: Array, names: Sequence[str]) -> tuple[tuple[str, ...], Array]:
    """What the ranges are called, (R,), and which of them each row is in, (N, R) int64 0 and 1.

    numbers: (N, C), NaN where unknown: then in no range; names: (C,). Each column has at most 10
    ranges, between its quantiles, of about 20 rows at least; a number that many rows have is in one
    range, and where nearly all have the lowest number the others are the second range. A class of
    one of several tasks (`kind=cat`) is its own range.
    """
    count = int(np.clip(len(numbers) // _ROWS, 2, _MOST))
    texts, columns = list[str](), list[Array]()
    for name, column in zip(names, np.asarray(numbers, dtype=np.float64).T, strict=True):
        known = np.isfinite(column)
        if OF_CLASS in name:
            texts.append(name)
            columns.append(known & (column > 0))
            continue
        edges = _edges(column[known], count)
        place = np.where(known, np.searchsorted(edges, column, side="right"), -1)
        limits = [f"below {edges[0]:.6g}" if len(edges) else "all"]
        limits += [f"from {edge:.6g}" for edge in edges]
        for number, text in enumerate(limits):
            texts.append(f"{name} {text}")
            columns.append(place == number)
    table = np.array(columns, dtype=np.int64).reshape(len(texts), -1)
    return tuple(texts), np.ascontiguousarray(table.T)


def _edges(column: Array, count: int) -> Array:
    """The numbers at which a new range begins; fewer where numbers are repeated."""
    if not len(column):
        return np.empty(0)
    shares = np.arange(1, count) / count
    found = np.unique(np.quantile(column, shares, method="higher"))
    found = found[found > column.min()]
    above = column[column > column.min()]
    return np.asarray(found if len(found) or not len(above) else above.min(keepdims=True))
