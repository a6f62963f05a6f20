"""Making the fold plan: which fold each training id belongs to, decided once.

The plan itself is in `comp.data.folds.plan`, its files in `comp.data.folds.plan_file`, the ways to
split in `comp.data.folds.schemes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from comp.config.schema import FoldsConfig
from comp.core import rng
from comp.core.errors import PlanError, complain, first, pick
from comp.data.folds.balance import Balance, one_hot
from comp.data.folds.fold_warnings import warnings
from comp.data.folds.plan import ALWAYS, FoldPlan, balance
from comp.data.folds.plan_file import load_plan, save_plan
from comp.data.folds.schemes import AUTO, SCHEMES, Scheme, split
from comp.data.folds.stratify import spread_more
from comp.data.index.index import Index

__all__ = [
    "SCHEMES",
    "Balance",
    "FoldPlan",
    "balance",
    "extend_plan",
    "given_plan",
    "judged_part",
    "load_plan",
    "make_plan",
    "refuse_leaks",
    "save_plan",
    "warn_of_proposals",
]

Array = np.ndarray[Any, Any]
_CROSS_FIT = 5  # parts of a hold-out that a rule is cross-fitted over
_PARTS = 20  # a hold-out is some of at most so many equal parts


class Together(Protocol):
    """Ids that show one thing, found by `comp check`."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def ids(self) -> tuple[str, ...]:
        """At least two training ids."""


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
    if folds.holdout is None:
        _refuse_few(index, folds.count, f"folds.count: {folds.count} folds")
        fold = split(scheme, index, folds.count, seed)
    else:
        share = Fraction(folds.holdout).limit_denominator(_PARTS)
        share = max(share, Fraction(1, _PARTS))
        _refuse_few(index, share.denominator, f"folds.holdout: {share.denominator} parts")
        parts = split(scheme, index, share.denominator, seed)
        fold = np.where(parts < share.numerator, 0, ALWAYS)
    return _plan(index, fold, folds.parts, name, seed)


def _fitting(index: Index, name: str) -> Scheme:
    grouped = index.groups is not None
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
    return scheme


def _refuse_one_class(index: Index) -> None:
    target = index.labels
    if len(index) > 1 and target.ndim == 1 and (target == target[0]).all():
        raise PlanError(
            f"all {len(index)} images are of the class {index.classes[int(target[0])]!r}: there is "
            "nothing to tell apart. Check data.target and the table's labels"
        )


def _refuse_few(index: Index, needed: int, asked: str) -> None:
    grouped = index.groups is not None
    units = len(set(index.groups)) if index.groups is not None else len(index)
    if units >= needed:
        return
    what = f"groups (data.group, {len(index)} images)" if grouped else "images"
    most = f"at most {units} folds, or more data" if units > 1 else "one cannot be parted"
    raise PlanError(f"{asked} for {units} {what}; {most}")


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
    """The plan with the ids that are new in the index, spread over its folds; the others keep
    theirs. New ids of a group that is there go where the group is.

    Raises PlanError with the rows that were edited (another label or group), when nothing is new,
    for a plan with ids that are only trained on, and when a fold has lost all its ids.
    """
    edited = plan.edited(index, shown=20)
    complain(
        PlanError,
        f"{plan.path or 'the fold plan'}: cannot be extended: rows that it has were edited; bring "
        "them back, or plan again with `comp folds make --replace`:",
        edited,
    )
    if not plan.judged.all():
        raise PlanError(
            f"{plan.path or 'the fold plan'}: has ids that are only trained on, so that it does "
            "not say where new ones belong; plan again with `comp folds make --replace`"
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
    fold = spread_more(one_hot(index), groups, home, plan.count, seed)[groups]
    made = given_plan(index, fold, plan.count, plan.scheme, plan.seed)
    return replace(made, extended=plan.extended + len(added))


def judged_part(index: Index, plan: FoldPlan) -> tuple[Index, Array, Array]:
    """The images that some fold validates on; the fold of each; and parts to cross-fit a rule
    over, which are the folds where there are several."""
    rows = np.flatnonzero(plan.judged)
    part = index.part(rows)
    fold = plan.fold[rows]
    units = len(set(part.groups or part.ids))
    if plan.count > 1 or units < 2:
        return part, fold, fold
    scheme = SCHEMES[AUTO[part.labels.ndim, part.groups is not None]]
    return part, fold, split(scheme, part, min(_CROSS_FIT, units), plan.seed)


def refuse_leaks(
    plan: FoldPlan, copies: Sequence[Together], shared: Sequence[str] = (), *, allow: bool
) -> FoldPlan:
    """The plan, with what leaks by it noted in it where that is allowed.

    That is what it parts although it belongs together: its own groups, and copies that `comp check`
    found; and `shared`: training images that are copies of test images of the same id, in words.
    A plan that notes a leak already may leak so again. Raises PlanError with all of them otherwise.
    """
    families: dict[str, list[str]] = {}
    for group, name in zip(plan.groups or (), plan.ids, strict=False):
        families.setdefault(f"the group {group!r}", []).append(name)
    families.update((f"the copies {found.name}", list(found.ids)) for found in copies)
    leaks = [
        f"{what} ({first(ids, 3)}) in the folds {', '.join(map(_fold_name, folds))}"
        for what, ids, folds in _parted(plan, families)
    ]
    leaks += shared
    if {*leaks} <= {*plan.leak}:
        return plan
    if allow:
        return replace(plan, leak=tuple(leaks))
    complain(
        PlanError,
        f"{plan.path or 'the fold plan'}: {_why(leaks, shared)}, or insist with `comp folds make "
        "--allow-leak` (it is noted in the plan and in the submission's manifest):",
        leaks,
    )
    return plan


def _why(leaks: Sequence[str], shared: Sequence[str]) -> str:
    if len(leaks) > len(shared):
        return (
            "parts what belongs together, so that validation would show what was trained on. Hold "
            "it together with `comp check --accept-groups` and `comp folds make --replace`"
        )
    return "trains on test images. Take them out of the training table (data.train_csv)"


def warn_of_proposals(plan: FoldPlan, proposals: Sequence[Together]) -> FoldPlan:
    """The plan, with a warning where it parts what `comp check` thinks may belong together.

    A plan that has groups is left as it is: its user has decided.
    """
    families = {found.name: list(found.ids) for found in proposals}
    parted = [name for name, _, _ in _parted(plan, families)] if plan.groups is None else []
    if not parted:
        return plan
    told = (
        f"parts {len(parted)} of the {len(proposals)} groups that `comp check` proposes "
        f"({first(parted, 3)}): look at them, and accept them with `comp check --accept-groups`"
    )
    return replace(plan, warnings=(*plan.warnings, told))


def _parted(
    plan: FoldPlan, families: dict[str, list[str]]
) -> Iterator[tuple[str, list[str], list[int]]]:
    """Each family that is in several folds, with its ids and these folds."""
    fold_of = dict(zip(plan.ids, plan.fold.tolist(), strict=True))
    for name, ids in families.items():
        folds = sorted({fold_of[each] for each in ids if each in fold_of})
        if len(folds) > 1:
            yield name, ids, folds


def _fold_name(number: int) -> str:
    return "training only" if number == ALWAYS else str(number)
