"""One answer from the folds: a rule tuned on the out-of-fold predictions, and an honest score.

The rule is tuned on all out-of-fold predictions, but it is reported with its cross-fitted score,
and it is dropped when that is below the score of the untuned rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from comp.data.index import Index
from comp.ensemble.honest import bootstrap, cross_fit
from comp.ensemble.thresholds import tune
from comp.ensemble.vote import Vote, check_vote
from comp.errors import PlanError, PredictionsError, first
from comp.metrics import Metric
from comp.predictions import Predictions, join
from comp.tasks import Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scores:
    """The out-of-fold scores of the rule in use; all the same where nothing is tuned.

    `raw`        with the neutral rule
    `tuned`      with the rule, on the rows it was tuned on: flattering
    `honest`     cross-fitted: tuned on the other folds, measured on this one
    `low, high`  95 % bootstrap interval of `honest`
    """

    raw: float
    tuned: float
    honest: float
    low: float
    high: float


@dataclass(frozen=True)
class Blend:
    """How members become an answer, and what to expect of it.

    `members`  what each one is called
    `weights`  one a member
    `rule`     (C,) thresholds or offsets
    `note`     what the user should know about the rule; empty when there is nothing to say
    """

    members: tuple[str, ...]
    vote: Vote
    weights: tuple[float, ...]
    rule: Array
    scores: Scores
    note: str = ""

    def record(self) -> dict[str, Any]:
        """The blend as plain values for a manifest; an undefined score is None."""
        scores = {k: None if math.isnan(v) else v for k, v in asdict(self.scores).items()}
        return {
            "members": list(self.members),
            "vote": self.vote.name,
            "weights": list(self.weights),
            "rule": np.asarray(self.rule, dtype=np.float64).tolist(),
            "scores": scores,
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
                f"{_name(member)}: made with another fold plan ({made_for[:8]}, now {plan[:8]}). "
                "Train under another `name`, or put the plan back."
            )
        if tuple(member.classes) != tuple(classes):
            raise PredictionsError(
                f"{_name(member)}: its classes are {first(member.classes)}; the training set has "
                f"{first(classes)}. Predict again with `comp predict`."
            )


def _name(member: Predictions) -> str:
    return str(member.source.get("path", f"fold {member.source.get('fold', '?')}"))


def out_of_fold(parts: Sequence[Predictions], index: Index, fold: Array, plan: str) -> Predictions:
    """The validation predictions of the folds as one, in the order of the index.

    fold: (N,) in the order of the index. Raises PlanError, PredictionsError for a part of another
    plan or other classes, for a part that holds images its model was trained on, and for ids that
    are missing, twice there or unknown.
    """
    check_members(parts, index.classes, plan)
    number_of = dict(zip(index.ids, np.asarray(fold).tolist(), strict=True))
    for part in parts:
        number = part.source.get("fold")
        seen = [name for name in part.ids if number_of.get(name, number) != number]
        if seen:
            raise PredictionsError(
                f"{_name(part)}: {len(seen)} images are not of fold {number}, so its model was "
                f"trained on them: {first(seen)}. Predict again with `comp predict`."
            )
    return _aligned(join(parts), index.ids)


def _aligned(member: Predictions, ids: Sequence[str]) -> Predictions:
    """The rows of `ids` in their order; PredictionsError for missing and for extra ones."""
    extra = sorted(set(member.ids) - set(ids))
    if extra:
        raise PredictionsError(
            f"{_name(member)}: {len(extra)} ids are not among the {len(ids)} that are wanted: "
            f"{first(extra)}. Predict again with `comp predict`."
        )
    return member.align(ids)


def make_blend(
    oof: Predictions,
    index: Index,
    fold: Array,
    task: Task,
    metric: Metric,
    *,
    plan: str,
    vote: Vote,
    members: Sequence[str],
    tune_rule: bool,
    seed: int,
) -> Blend:
    """The rule and the scores, from one out-of-fold row for each training image.

    fold: (N,) in the order of the index; plan: fingerprint of the plan in use. Groups of the index
    are drawn whole in the bootstrap. Raises ConfigError when the vote cannot serve the metric, and
    what `check_members` and `Predictions.align` raise.
    """
    check_vote(vote, metric)
    check_members([oof], index.classes, plan)
    probs = np.asarray(_aligned(oof, index.ids).probs)
    rule, answer, raw, honest, note = _settle(
        task, metric, index, probs, np.asarray(fold), tune_rule
    )
    tuned = raw
    if tune_rule and metric.wants == "labels":
        tuned = metric.score(index.labels, task.decide(probs, rule), len(index.classes))
    low, high = bootstrap(metric, index.labels, answer, len(index.classes), index.groups, seed)
    scores = Scores(raw, tuned, honest, low, high)
    return Blend(tuple(members), vote, (1.0,) * len(members), rule, scores, note)


def _settle(
    task: Task, metric: Metric, index: Index, probs: Array, fold: Array, tune_rule: bool
) -> tuple[Array, Array, float, float, str]:
    """The rule to use, the out-of-fold answer to score it by, raw score, honest score, note."""
    target, classes = index.labels, len(index.classes)
    neutral = task.link.neutral(probs.shape[1])
    plain = probs if metric.wants == "probs" else task.decide(probs, neutral)
    raw = metric.score(target, plain, classes)
    if metric.wants == "probs" or not tune_rule:
        return neutral, plain, raw, raw, ""
    fitted = cross_fit(task, metric, target, probs, fold)
    honest = metric.score(target, fitted, classes)
    if metric.better(raw, honest):
        note = (
            f"{task.link.tuner} not used: tuned on the other folds they score {honest:.4f}, "
            f"untuned {raw:.4f}"
        )
        return neutral, plain, raw, raw, note
    return tune(task, metric, target, probs), fitted, raw, honest, ""


def answer(
    blend: Blend,
    members: Sequence[Predictions],
    ids: Sequence[str],
    task: Task,
    classes: Sequence[str],
    plan: str,
) -> Answer:
    """What the blend says of `ids`, in their order, whatever order the members have.

    members: test predictions, one for each weight. Raises PlanError, PredictionsError for members
    of another plan, of other classes, or of other ids.
    """
    check_members(members, classes, plan)
    aligned = [np.asarray(_aligned(member, ids).probs) for member in members]
    result = blend.vote.merge(aligned, np.asarray(blend.weights), task, blend.rule)
    return Answer(tuple(ids), result.labels, result.probs)
