"""One answer from the members: aligned by id, decided by a vote that was judged out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import PlanError, PredictionsError, first
from comp.data.index.index import Index
from comp.ensemble.compare import Evidence, Row, Scores, without_nan
from comp.ensemble.prior import Shift, Shifted
from comp.ensemble.votes import Vote, check_vote
from comp.inference.predictions import Predictions, join
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Blend:
    """How members become an answer, and what to expect of it.

    `members`  what each one is called
    `weights`  one a member
    `rule`     (C,) thresholds or offsets; of a hard vote with members of several runs (M, C)
    `note`     what the user should know about the rule; empty when there is nothing to say
    `weigher`  how the weights were found
    """

    members: tuple[str, ...]
    vote: Vote
    weights: tuple[float, ...]
    rule: Array
    scores: Scores
    note: str = ""
    weigher: str = "equal"

    def record(self) -> dict[str, Any]:
        """The blend as plain values for a manifest; an undefined score is None."""
        return {
            "members": list(self.members),
            "vote": self.vote.name,
            "weigher": self.weigher,
            "weights": list(self.weights),
            "rule": np.asarray(self.rule, dtype=np.float64).tolist(),
            "scores": without_nan(self.scores),
            "note": self.note,
        }


@dataclass(frozen=True)
class Answer:
    """Decisions for `ids`: labels in the shape of a target, probs (N, C) or None (hard vote)."""

    ids: tuple[str, ...]
    labels: Array
    probs: Array | None


def check_members(members: Sequence[Predictions], classes: Sequence[str], plan: str) -> None:
    """Raise when a member does not belong: PlanError for another plan, PredictionsError for
    other classes, or where there are no members. `plan` is the fingerprint of the plan in use.
    """
    if not members:
        raise PredictionsError("no members to blend. Run `comp train`, then `comp predict`.")
    for member in members:
        made_for = str(member.source.get("plan"))
        if made_for != plan:
            raise PlanError(
                f"{name_of(member)}: made with another fold plan ({made_for[:8]}, now {plan[:8]}). "
                "Train under another `name`, or put the plan back."
            )
        if tuple(member.classes) != tuple(classes):
            raise PredictionsError(
                f"{name_of(member)}: its classes are {first(member.classes)}; the training set has "
                f"{first(classes)}. Predict again with `comp predict`."
            )


def name_of(member: Predictions) -> str:
    """What a member is called in a message."""
    return str(member.source.get("path", f"fold {member.source.get('fold', '?')}"))


def out_of_fold(
    parts: Sequence[Predictions],
    index: Index,
    fold: Array,
    plan: str,
    *,
    partial: bool = False,
    columns: Sequence[str] | None = None,
) -> Predictions:
    """The validation predictions of the folds as one, in the order of the index.

    columns: what the columns are called, where it is not the classes of the index. fold: (N,) in
    the order of the index. partial: ids without a row are left out. Raises PlanError,
    PredictionsError for a part of another plan or other classes, for a part that holds images its
    model was trained on, and for ids that are missing, twice there or unknown.
    """
    check_members(parts, index.classes if columns is None else columns, plan)
    number_of = dict(zip(index.ids, np.asarray(fold).tolist(), strict=True))
    for part in parts:
        number = part.source.get("fold")
        seen = [name for name in part.ids if number_of.get(name, number) != number]
        if seen:
            raise PredictionsError(
                f"{name_of(part)}: {len(seen)} images are not of fold {number}, so its model was "
                f"trained on them: {first(seen)}. Predict again with `comp predict`."
            )
    joined = join(parts)
    there = set(joined.ids) if partial else ()
    return aligned(joined, [name for name in index.ids if name in there] if partial else index.ids)


def aligned(member: Predictions, ids: Sequence[str]) -> Predictions:
    """The rows of `ids` in their order; PredictionsError for missing and for extra ones."""
    if member.ids == tuple(ids):
        return member
    extra = sorted(set(member.ids) - set(ids))
    if extra:
        raise PredictionsError(
            f"{name_of(member)}: {len(extra)} ids are not among the {len(ids)} that are wanted: "
            f"{first(extra)}. Predict again with `comp predict`."
        )
    return member.align(ids)


def make_evidence(
    models: Sequence[Predictions],
    index: Index,
    fold: Array,
    task: Task,
    metric: Metric,
    *,
    plan: str,
    shift: Shift | None = None,
) -> Evidence:
    """The out-of-fold predictions of the models, aligned with the index, to fit and judge on.

    fold: (N,) in the order of the index; plan: fingerprint of the plan in use. Raises what
    `check_members` and `aligned` raise.
    """
    check_members(models, index.classes, plan)
    probs = [np.asarray(aligned(model, index.ids).probs) for model in models]
    if shift is not None:
        probs = [shift.adjust(member) for member in probs]
    weights = None if shift is None else shift.class_weights
    target, fold = index.labels, np.asarray(fold)
    return Evidence(task, metric, target, fold, tuple(probs), len(index.classes), weights)


def make_blend(row: Row, members: Sequence[Sequence[str]], metric: Metric) -> Blend:
    """The blend of a row for the test set: the members of each model share its weight equally.

    members: for each model of the row, what its test members are called. Raises ConfigError when
    the vote cannot serve the metric.
    """
    check_vote(row.vote, metric)
    counts = [len(names) for names in members]
    weights = np.repeat(row.fit.weights / np.maximum(counts, 1), counts)
    rule = row.fit.rule
    if rule.ndim == 2:
        rule = np.repeat(rule, counts, axis=0)
    names = tuple(name for names in members for name in names)
    return Blend(names, row.vote, tuple(weights.tolist()), rule, row.scores, row.note, row.weigher)


def answer(
    blend: Blend,
    members: Sequence[Predictions],
    ids: Sequence[str],
    task: Task,
    classes: Sequence[str],
    plan: str,
    shift: Shift | None = None,
    *,
    keep_probs: bool = True,
) -> Answer:
    """What the blend says of `ids`, in their order, whatever order the members have.

    members: test predictions, one for each weight; keep_probs: whether merged probabilities are
    wanted, which are as large as one member. Raises PlanError, PredictionsError for members
    of another plan, of other classes, or of other ids.
    """
    check_members(members, classes, plan)
    probs: list[Any] = [aligned(member, ids).probs for member in members]
    if shift is not None:
        probs = [Shifted(member, shift) for member in probs]
    weights = np.asarray(blend.weights)
    result = blend.vote.merge(probs, weights, task, blend.rule, keep_probs=keep_probs)
    return Answer(tuple(ids), result.labels, result.probs)
