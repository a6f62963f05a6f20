"""Plans that would let a model see in training what it is validated or tested on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from comp.core.errors import PlanError, complain, first
from comp.data.folds.plan import ALWAYS, FoldPlan


class Together(Protocol):
    """Ids that show one thing, found by `comp check`."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def ids(self) -> tuple[str, ...]:
        """At least two training ids."""


def refuse_leaks(
    plan: FoldPlan, copies: Sequence[Together], shared: Sequence[str] = (), *, allow: bool
) -> FoldPlan:
    """The plan; where leaks are allowed, with its leaks noted in it.

    A leak is what belongs together and is in several folds (the plan's own groups, copies that
    `comp check` found), and each line of `shared`: training images that are copies of test images
    of the same id. A leak that the plan notes already is allowed. Raises PlanError with all leaks
    otherwise.
    """
    families: dict[str, list[str]] = {}
    for group, name in zip(plan.groups or (), plan.ids, strict=False):
        families.setdefault(f"the group {group!r}", []).append(name)
    families.update((f"the copies {found.name}", list(found.ids)) for found in copies)
    leaks = [
        f"{what} ({first(ids, 3)}) in the folds {', '.join(map(_fold_name, folds))}"
        for what, ids, folds in _divided(plan, families)
    ]
    leaks += shared
    if {*leaks} <= {*plan.leak}:
        return plan
    if allow:
        return replace(plan, leak=tuple(leaks))
    complain(
        PlanError,
        f"{plan.path or 'the fold plan'}: {_why(leaks, shared)}, or allow it with `comp folds make "
        "--allow-leak` (the plan and the submission's manifest note it):",
        leaks,
    )
    return plan


def _why(leaks: Sequence[str], shared: Sequence[str]) -> str:
    if len(leaks) > len(shared):
        return (
            "divides what belongs together, so models would be validated on copies of what they "
            "were trained on. Keep it together with `comp check --accept-groups` and `comp folds "
            "make --replace`"
        )
    return "trains on test images. Take them out of the training table (data.train_csv)"


def warn_of_proposals(plan: FoldPlan, proposals: Sequence[Together]) -> FoldPlan:
    """The plan, with a warning where it divides a group that `comp check` proposes.

    A plan that has groups is left as it is: its user has decided.
    """
    families = {found.name: list(found.ids) for found in proposals}
    divided = [name for name, _, _ in _divided(plan, families)] if plan.groups is None else []
    if not divided:
        return plan
    warning = (
        f"divides {len(divided)} of the {len(proposals)} groups that `comp check` proposes "
        f"({first(divided, 3)}): look at them, and accept them with `comp check --accept-groups`"
    )
    return replace(plan, warnings=(*plan.warnings, warning))


def _divided(
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
