"""Targets that know which rows of the index they are: a metric file asks for ids and other columns.

Targets travel as arrays, and parts of them are taken by indexing; the numbers of the rows travel
along.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class NumberedRows(np.ndarray[Any, Any]):
    """An array whose first axis are rows of an index. `rows`: (N,) their numbers, or None where
    they are no longer known."""

    rows: Array | None = None

    def __array_finalize__(self, other: Any) -> None:
        rows = getattr(other, "rows", None)
        same = rows is not None and self.ndim > 0 and len(rows) == self.shape[0]
        self.rows = rows if same else None

    def __getitem__(self, which: Any) -> Any:
        found = super().__getitem__(which)
        if isinstance(found, NumberedRows):
            first = which[0] if isinstance(which, tuple) and which else which
            rows = None
            if self.rows is not None and found.ndim and first is not None and first is not Ellipsis:
                rows = np.asarray(self.rows)[first]
            known = isinstance(rows, np.ndarray) and rows.shape == found.shape[:1]
            found.rows = rows if known else None
        return found


def numbered(target: Array) -> NumberedRows:
    """The same target, its rows numbered from 0."""
    out = np.asarray(target).view(NumberedRows)
    out.rows = np.arange(len(target))
    return out
