"""How the probabilities of several members become one answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.errors import ConfigError, PredictionsError
from comp.metrics import Metric
from comp.tasks import Link, Task

Array = np.ndarray[Any, Any]

_TIE = 1e-9  # shares nearer than this are equal: weights are sums of floats


@dataclass(frozen=True)
class VoteResult:
    """What a vote decided.

    `labels`  int64 in the shape of the target
    `probs`   (N, C) weighted mean probabilities; None after a hard vote
    `share`   (N, C) share of the votes, for a class or for yes; None after a soft vote
    """

    labels: Array
    probs: Array | None = None
    share: Array | None = None


@dataclass(frozen=True)
class Vote:
    """One way to merge. `merge`: members' probs, each (N, C); weights (M,); task; rule (C,)."""

    name: str
    gives_probs: bool
    merge: Callable[[Sequence[Array], Array, Task, Array], VoteResult]


def mean_probs(members: Sequence[Array], weights: Array) -> Array:
    """The weighted arithmetic mean, float64, in the shape of one member.

    Raises PredictionsError without members or where their shapes differ, ConfigError for weights
    that are not one number >= 0 a member with a sum above zero.
    """
    if not members:
        raise PredictionsError("nothing to vote: no members. Train a fold, then predict.")
    shapes = sorted({tuple(member.shape) for member in members})
    if len(shapes) > 1:
        raise PredictionsError(f"members have probabilities of different shapes: {shapes}")
    weights = np.asarray(weights, dtype=np.float64)
    usable = weights.shape == (len(members),) and np.isfinite(weights).all()
    if not usable or (weights < 0).any() or weights.sum() <= 0:
        raise ConfigError(
            f"ensemble.weights: {weights.tolist()} for {len(members)} members; "
            "one number >= 0 each, not all zero"
        )
    total = np.zeros(shapes[0])
    for member, weight in zip(members, weights / weights.sum(), strict=True):
        total += weight * member
    return total


def _soft(members: Sequence[Array], weights: Array, task: Task, rule: Array) -> VoteResult:
    """The rule decides on the weighted mean of the probabilities."""
    probs = mean_probs(members, weights)
    return VoteResult(task.decide(probs, rule), probs=probs)


def _hard(members: Sequence[Array], weights: Array, task: Task, rule: Array) -> VoteResult:
    """Each member decides by the rule; the weighted majority of these votes wins.

    Sigmoid: yes with more than half of the weight, no with less; at exactly half, yes when the mean
    probability reaches the threshold. Softmax: the class with the most weight; of classes that tie,
    the one with the largest mean probability plus offset.
    """
    mean = mean_probs(members, weights)
    ballots = [_ballot(task.link, member, rule) for member in members]
    share = mean_probs(ballots, weights)
    labels = _MAJORITIES[task.link.name](task.link, share, mean, rule)
    return VoteResult(labels[:, 0] if labels.ndim > task.target_ndim else labels, share=share)


def _ballot(link: Link, probs: Array, rule: Array) -> Array:
    """(N, C): the vote of one member as zeros and ones."""
    labels = link.decide(probs, rule)
    if labels.ndim == probs.ndim:
        return labels
    return np.moveaxis(np.eye(probs.shape[1], dtype=np.int64)[labels], -1, 1)


def _more_than_half(link: Link, share: Array, mean: Array, rule: Array) -> Array:
    tied = np.abs(share - 0.5) <= _TIE
    return np.where(tied, link.decide(mean, rule), share > 0.5).astype(np.int64)


def _most_votes(link: Link, share: Array, mean: Array, rule: Array) -> Array:
    tied = share >= share.max(axis=1, keepdims=True) - _TIE
    return link.decide(np.where(tied, mean, -np.inf), rule)


_MAJORITIES: dict[str, Callable[[Link, Array, Array, Array], Array]] = {
    "sigmoid": _more_than_half,
    "softmax": _most_votes,
}

VOTES = {vote.name: vote for vote in (Vote("soft", True, _soft), Vote("hard", False, _hard))}


def check_vote(vote: Vote, metric: Metric) -> None:
    """Raise ConfigError when the metric wants probabilities and the vote gives none."""
    if metric.wants == "probs" and not vote.gives_probs:
        fitting = ", ".join(other.name for other in VOTES.values() if other.gives_probs)
        raise ConfigError(
            f"ensemble.vote: {vote.name!r} gives decisions, but the metric {metric.name!r} wants "
            f"probabilities; votes that give them: {fitting}. Use `--vote {fitting.split(',')[0]}`."
        )
