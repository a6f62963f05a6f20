"""How evenly images, classes and groups are divided into folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.data.index.index import Index

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Balance:
    """How evenly a plan divides the data.

    `rows`     (K,) images in each fold
    `classes`  class -> (K,) images of it in each fold
    `groups`   (K,) groups in each fold, or None
    """

    rows: Array
    classes: dict[str, Array]
    groups: Array | None = None

    def plain(self) -> dict[str, Any]:
        """The same as lists of numbers."""
        return {
            "rows": self.rows.tolist(),
            "classes": {name: counts.tolist() for name, counts in self.classes.items()},
            "groups": None if self.groups is None else self.groups.tolist(),
        }


def count_up(fold: Array, count: int, index: Index) -> Balance:
    """The balance of folds that are no plan yet. fold: (N,) in 0..count-1, in index order; the
    rows of any other number are in none of them."""
    member = np.asarray(fold[:, None] == np.arange(count), dtype=np.int64)  # (N, K)
    table = index.cells.T @ member
    groups = None
    if index.groups is not None:
        home = dict(zip(index.groups, fold.tolist(), strict=True))
        groups = np.bincount([k for k in home.values() if k >= 0], minlength=count)
    classes = {name: table[row] for row, name in enumerate(index.strata)}
    return Balance(member.sum(axis=0), classes, groups)
