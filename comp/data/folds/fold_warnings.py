"""What is uneven in a plan, and what no seed can change."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.data.folds.balance import count_up
from comp.data.folds.stratify import unit_counts
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]

_UNEQUAL = 0.1  # of the mean size of a fold: a larger difference is worth a warning
_TOO_LARGE = 1.5  # even shares of a class that one group may hold before it is worth a warning


def warnings(fold: Array, count: int, index: Index) -> list[str]:
    """What the user of these folds should know, a line each. fold: (N,) in the index's order."""
    made = count_up(fold, count, index)
    names, groups = _units(index)
    units = unit_counts(index.cells, groups)
    kind = "groups" if index.groups is not None else "images"
    out = [] if index.groups is None else _large(units, names, index.strata, count)
    for column, (name, counts) in enumerate(made.classes.items(), start=1):
        members = int((units[:, column] > 0).sum())
        absent = np.flatnonzero(counts == 0).tolist()
        if members < count:
            out.append(
                f"class {name!r} lives in {members} {kind}: {count} folds cannot all contain it; "
                "no seed will help"
            )
        if absent:
            out.append(f"class {name!r} is absent from the folds {', '.join(map(str, absent))}")
        if count > 1 and len(absent) == count - 1:
            lone = int(counts.argmax())
            out.append(f"class {name!r} is in fold {lone} only: its own models never see it")
    low, high = int(made.rows.min()), int(made.rows.max())
    if high - low > max(1, _UNEQUAL * made.rows.mean()):
        out.append(f"folds of unequal size: {low} to {high} images")
    return out


def _units(index: Index) -> tuple[list[str], Array]:
    """The names of what is held together, and the number of each row's."""
    given = index.groups if index.groups is not None else index.ids
    names, groups = np.unique(np.array(given, dtype=object), return_inverse=True)
    return names.tolist(), groups


def _large(units: Array, names: list[str], classes: tuple[str, ...], count: int) -> list[str]:
    """Groups that hold so much of a class, or of everything, that no fold can be even."""
    out = []
    for column, what in enumerate(["images", *(f"images of class {name!r}" for name in classes)]):
        counts = units[:, column]
        largest, even = int(counts.argmax()), counts.sum() / count
        if counts[largest] > max(_TOO_LARGE * even, even + 1) and (counts > 0).sum() >= count:
            out.append(
                f"group {names[largest]!r} alone holds {counts[largest]} of the {counts.sum()} "
                f"{what}, an even share is {even:.0f}; no seed will help"
            )
    return out
