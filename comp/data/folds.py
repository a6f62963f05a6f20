"""Making the fold plan: which fold each training id belongs to, decided once.

The plan itself and its files are in `comp.data.plan`, the ways to part in `comp.data.schemes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.config import FoldsConfig
from comp.data.balance import Balance, count_up, one_hot
from comp.data.index import Index
from comp.data.plan import FoldPlan, balance, load_plan, save_plan
from comp.data.schemes import AUTO, SCHEMES, split
from comp.errors import PlanError, pick

__all__ = ["SCHEMES", "Balance", "FoldPlan", "balance", "load_plan", "make_plan", "save_plan"]

Array = np.ndarray[Any, Any]
_UNEQUAL = 0.1  # of the mean size of a fold: a larger difference is worth a warning


def make_plan(index: Index, folds: FoldsConfig, seed: int) -> FoldPlan:
    """The plan of an index: a function of its ids, labels and groups, of the scheme and the seed.

    Raises PlanError for fewer rows or groups than folds, and for a scheme that the index cannot
    have: stratifying by one class where there are several an image, grouping without groups,
    ignoring groups that are there.
    """
    grouped = index.groups is not None
    name = AUTO[index.labels.ndim, grouped] if folds.scheme == "auto" else folds.scheme
    scheme = pick({**SCHEMES, "auto": SCHEMES["random"]}, name, "folds.scheme")
    if scheme.grouped != grouped:
        other = [n for n, s in SCHEMES.items() if s.grouped == grouped]
        have = "there are no groups (data.group)" if scheme.grouped else "it would part the groups"
        raise PlanError(
            f"folds.scheme: {name}: {have}; use auto or one of: {', '.join(other)}"
            + ("" if scheme.grouped else ", or set data.group to null")
        )
    if scheme.ndim not in (None, index.labels.ndim):
        fit = AUTO[index.labels.ndim, grouped]
        raise PlanError(f"folds.scheme: {name} does not fit these labels; use auto, here {fit}")
    units = len(set(index.groups)) if index.groups is not None else len(index)
    if units < folds.count:
        what = f"groups (data.group, {len(index)} images)" if grouped else "images"
        raise PlanError(
            f"folds.count: {folds.count} folds for {units} {what}; at most {units} folds, or more "
            "data"
        )
    fold = split(scheme, index, folds.count, seed)
    return FoldPlan(
        ids=index.ids,
        fold=fold,
        count=folds.count,
        scheme=name,
        seed=seed,
        index_fingerprint=index.fingerprint,
        classes=index.classes,
        labels=tuple(index.label_texts()),
        groups=index.groups,
        warnings=tuple(_warnings(fold, folds.count, index)),
    )


def _warnings(fold: Array, count: int, index: Index) -> list[str]:
    made = count_up(fold, count, index)
    units = "groups" if index.groups is not None else "images"
    names = np.array(index.groups if index.groups is not None else index.ids, dtype=object)
    hot = one_hot(index).astype(bool)
    out = []
    for column, (name, counts) in enumerate(made.classes.items()):
        members = len(set(names[hot[:, column]].tolist()))
        absent = np.flatnonzero(counts == 0).tolist()
        if members < count:
            out.append(f"class {name!r} has {members} {units} for {count} folds")
        if absent:
            out.append(f"class {name!r} is absent from the folds {', '.join(map(str, absent))}")
        if len(absent) == count - 1:
            lone = int(counts.argmax())
            out.append(f"class {name!r} is in fold {lone} only: its own models never see it")
    low, high = int(made.rows.min()), int(made.rows.max())
    if high - low > max(1, _UNEQUAL * len(index) / count):
        out.append(f"folds of unequal size: {low} to {high} images")
    return out
