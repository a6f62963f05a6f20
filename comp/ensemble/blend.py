"""One answer from the members: aligned by id, decided by a vote that was scored out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import PlanError, PredictionsError, first
from comp.data.index.index import Index
from comp.ensemble.compare import BlendRow, Scores, without_nan
from comp.ensemble.votes import Vote, check_vote
from comp.inference.predictions import Predictions, join
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Blend:
    """How members become an answer, and what to expect of it.

    `members`  what each one is called
    `weights`  one per member
    `rule`     see `comp.ensemble.evidence.Fit`; the members of a model have the same
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


def check_members(members: Sequence[Predictions], classes: Sequence[str], plan: str) -> None:
    """Raise when a member does not fit: PlanError for another plan, PredictionsError for
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
    """The name of a member in messages."""
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
    model was trained on, and for ids that are missing, repeated or unknown.
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


def make_blend(
    row: BlendRow, members: Sequence[Sequence[str]], metric: Metric, notes: Sequence[str] = ()
) -> Blend:
    """The blend of a row for the test set: the members of each model share its weight equally.

    members: for each model of the row, what its test members are called. notes: more to say of it.
    Raises ConfigError when the vote cannot serve the metric.
    """
    check_vote(row.vote, metric)
    counts = [len(names) for names in members]
    weights = np.repeat(row.fit.weights / np.maximum(counts, 1), counts)
    rule = np.repeat(row.fit.rule, counts, axis=0) if row.fit.per_member else row.fit.rule
    names = tuple(name for names in members for name in names)
    note = "; ".join(part for part in (row.note, *notes) if part)
    return Blend(names, row.vote, tuple(weights.tolist()), rule, row.scores, note, row.weigher)
