"""Making and extending the fold plan: which fold each training id belongs to, decided once."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from comp.config.schema import FoldsConfig
from comp.core import rng
from comp.core.errors import PlanError, complain, first, pick
from comp.data.folds.fold_warnings import warnings
from comp.data.folds.plan import ALWAYS, FoldPlan
from comp.data.folds.schemes import AUTO, SCHEMES, Scheme, split
from comp.data.folds.starts import DEAL
from comp.data.folds.stratify import extend_groups
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]
_CROSS_FIT = 5  # parts of a hold-out that a rule is cross-fitted over
_PARTS = 20  # a hold-out is some of at most so many equal parts


def make_plan(index: Index, folds: FoldsConfig, seed: int) -> FoldPlan:
    """The plan of an index: a function of its ids, labels and groups, of the scheme and the seed.

    With `folds.holdout` there is one fold, that share; all other ids are only trained on.
    Raises PlanError for fewer rows or groups than folds, for images that are all of one class, and
    for a scheme that the index cannot have: stratifying by one class where there are several an
    image, grouping without groups, ignoring groups that are there.
    """
    grouped = index.groups is not None
    name = AUTO[index.labels.ndim, grouped] if folds.scheme == "auto" else folds.scheme
    scheme = _fitting(index, name)
    _refuse_one_class(index)
    _refuse_start(name, folds.start)
    if folds.holdout is None:
        _refuse_few(index, folds.count, f"folds.count: {folds.count} folds")
        fold = split(scheme, index, folds.count, seed, folds.start)
    else:
        share = Fraction(folds.holdout).limit_denominator(_PARTS)
        share = max(share, Fraction(1, _PARTS))
        _refuse_few(index, share.denominator, f"folds.holdout: {share.denominator} parts")
        parts = split(scheme, index, share.denominator, seed, folds.start)
        fold = np.where(parts < share.numerator, 0, ALWAYS)
    return replace(_plan(index, fold, folds.parts, name, seed), start=folds.start)


def _refuse_start(scheme: str, start: str) -> None:
    if start != DEAL and not SCHEMES[scheme].starts:
        able = first([name for name, other in SCHEMES.items() if other.starts])
        raise PlanError(
            f"folds.start: {start} is for the schemes {able}, not for {scheme}; remove the key"
        )


def _fitting(index: Index, name: str) -> Scheme:
    grouped = index.groups is not None
    scheme = pick({**SCHEMES, "auto": SCHEMES["random"]}, name, "folds.scheme")
    if scheme.grouped != grouped:
        other = [n for n, s in SCHEMES.items() if s.grouped == grouped]
        have = (
            "there are no groups (data.group)" if scheme.grouped else "it would divide the groups"
        )
        raise PlanError(
            f"folds.scheme: {name}: {have}; use auto or one of: {', '.join(other)}"
            + ("" if scheme.grouped else ", or set data.group to null")
        )
    if scheme.ndim not in (None, index.labels.ndim):
        fit = AUTO[index.labels.ndim, grouped]
        raise PlanError(f"folds.scheme: {name} does not fit these labels; use auto, here {fit}")
    return scheme


def _refuse_one_class(index: Index) -> None:
    target = index.labels
    if len(index) > 1 and target.ndim == 1 and (target == target[0]).all():
        raise PlanError(
            f"all {len(index)} images are of the class {index.classes[int(target[0])]!r}: there is "
            "nothing to learn. Check data.target and the labels in the table"
        )


def _refuse_few(index: Index, needed: int, what: str) -> None:
    grouped = index.groups is not None
    units = len(set(index.groups)) if index.groups is not None else len(index)
    if units >= needed:
        return
    kind = f"groups (data.group, {len(index)} images)" if grouped else "images"
    most = f"at most {units} folds, or more data" if units > 1 else "one cannot be divided"
    raise PlanError(f"{what} for {units} {kind}; {most}")


def _plan(index: Index, fold: Array, count: int, scheme: str, seed: int) -> FoldPlan:
    return FoldPlan(
        ids=index.ids,
        fold=fold,
        count=count,
        scheme=scheme,
        seed=seed,
        index_fingerprint=index.fingerprint,
        classes=index.classes,
        labels=tuple(index.label_texts()),
        groups=index.groups,
        marks=index.marks,
        learned=index.learned,
        warnings=tuple(warnings(fold, count, index)),
    )


def given_plan(index: Index, fold: Array, count: int, scheme: str, seed: int) -> FoldPlan:
    """The plan of folds that were decided elsewhere: a column of the table, another tool's file.

    fold: (N,) in the order of the index, 0..count-1 or `ALWAYS`. Raises PlanError for empty folds.
    """
    empty = sorted({*range(count)} - {*fold.tolist()})
    if empty:
        raise PlanError(f"no id is in fold {', '.join(map(str, empty))} of 0..{count - 1}")
    return _plan(index, np.asarray(fold, dtype=np.int64), count, scheme, seed)


def extend_plan(plan: FoldPlan, index: Index) -> FoldPlan:
    """The plan with the ids that are new in the index, divided among its folds; the others keep
    theirs. New ids of a group that the plan has go where the group is.

    Raises PlanError with the rows that were edited (another label or group), when nothing is new,
    for a plan with ids that are only trained on, and when a fold has lost all its ids.
    """
    edited = plan.edited(index, shown=20)
    complain(
        PlanError,
        f"{plan.path or 'the fold plan'}: cannot be extended: rows that it has were edited; undo "
        "the edits, or plan again with `comp folds make --replace`:",
        edited,
    )
    if not plan.judged.all():
        raise PlanError(
            f"{plan.path or 'the fold plan'}: has ids that are only trained on, so it does not "
            "say where new ones belong; plan again with `comp folds make --replace`"
        )
    added, old = plan.added(index), dict(zip(plan.ids, plan.fold.tolist(), strict=True))
    if not added and not plan.gone(index):
        raise PlanError(f"{plan.path or 'the fold plan'}: there is nothing new to extend it with")
    given = index.groups if index.groups is not None else index.ids
    names, groups = np.unique(np.array(given, dtype=object), return_inverse=True)
    home = np.full(len(names), ALWAYS)
    for row, name in enumerate(index.ids):
        home[groups[row]] = old.get(name, home[groups[row]])
    seed = rng.derive(plan.seed, "folds", "extend")
    fold = extend_groups(index.cells, groups, home, plan.count, seed)[groups]
    made = given_plan(index, fold, plan.count, plan.scheme, plan.seed)
    return replace(made, extended=plan.extended + len(added))


def judged_part(index: Index, plan: FoldPlan) -> tuple[Index, Array, Array]:
    """The images that some fold validates on, the fold of each, and the parts that a rule is
    cross-fitted over: the folds, where there are several."""
    rows = np.flatnonzero(plan.judged)
    part = index.part(rows)
    fold = plan.fold[rows]
    units = len(set(part.groups or part.ids))
    if plan.count > 1 or units < 2:
        return part, fold, fold
    scheme = SCHEMES[AUTO[part.labels.ndim, part.groups is not None]]
    return part, fold, split(scheme, part, min(_CROSS_FIT, units), plan.seed)
