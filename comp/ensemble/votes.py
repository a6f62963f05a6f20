"""How the probabilities of several members become one answer.

A vote of means transforms each member's probabilities to a scale, averages there, and transforms
the means back into probabilities. A hard vote counts decisions. Both go over the rows in chunks, so
that members may stay on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import CompError, ConfigError, PredictionsError
from comp.core.registry import guarded
from comp.tasks.grades import expected_grade, neighbours
from comp.tasks.kinds import Link, Task, one_hot
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]

_TIE = 1e-9  # shares nearer than this are equal: weights are sums of floats
_CELLS = 1 << 20  # probabilities of one member in memory at once
_COLUMNS = 16  # columns ranked at once
_TRACE = 1e-4  # how much a ballot says of the probability behind it
_TRIM = 0.2  # of the weight, at each end
_CLIP = 1e-7  # a certain member must not silence all others: its odds end at ten million to one


@dataclass(frozen=True)
class VoteResult:
    """What a vote decided.

    `labels`  int64 in the shape of the target
    `probs`   (N, C) float32, merged; None after a hard vote, or where it is not kept
    """

    labels: Array
    probs: Array | None = None


@dataclass(frozen=True)
class Vote:
    """One way to merge.

    `gives_probs`  whether probabilities come out of it
    `transform`    a member's probs (N, C) -> what is averaged
    `inverse`      the weighted means, link -> probabilities
    `ranks`        whether rows are replaced by their ranks first, which needs all of them
    `rising`       whether `transform` rises and `inverse` undoes it: then thresholds can be
                   transformed too and compared with the means
    `middle`       None, or what is taken in place of the mean: members (M, n, C), weights (M,) ->
                   (n, C). Weights are then not searched, for members cannot be summed up. Of
                   grades the middle of the expected ones is taken
    `measures`     whether it can merge numbers, which may have any value
    `maps`         whether masks can be merged so
    `signed`       whether weights may be negative; what leaves [0, 1] then is clipped
    """

    name: str
    gives_probs: bool
    transform: Callable[[Array], Array]
    inverse: Callable[[Array, Link], Array]
    ranks: bool = False
    rising: bool = True
    middle: Callable[[Array, Array], Array] | None = None
    measures: bool = False
    maps: bool = True
    signed: bool = True

    def merge(
        self,
        members: Sequence[Array],
        weights: Array,
        task: Task,
        rule: Array,
        *,
        parts: Array | None = None,
        keep_probs: bool = True,
    ) -> VoteResult:
        """The answer of `members`, each (N, C), weighted by `weights` (M,), under a rule.

        rule: (C,), or for a hard vote (M, C), one per member. parts: (N,) numbers, or (M, N) for
        each member; ranks are taken within a part.

        Raises PredictionsError without members or where their shapes differ, ConfigError for
        weights that are not one number >= 0 per member with a sum above zero.
        """
        shares = checked_weights(members, weights, signed=self.signed)
        if not self.gives_probs:
            return _majority(members, shares, task, rule)
        if self.ranks:
            return _decide(merged_ranks(members, shares, parts), self, task, rule, keep_probs)
        used = [member for member, share in zip(members, shares, strict=True) if share]
        own = shares[shares != 0]
        out = _Answers(members[0].shape, task, keep_probs)
        for rows in chunks(members[0].shape):
            values = (np.asarray(member[rows], dtype=np.float64) for member in used)
            out.take(rows, self._merged(values, own, task, members[0].shape[1]), rule)
        return out.result()

    def _merged(self, members: Iterable[Array], own: Array, task: Task, columns: int) -> Array:
        if self.middle is not None and task.ordered:
            line = self.average((expected_grade(probs)[:, None] for probs in members), own)
            return neighbours(line[:, 0], columns)
        return self.inverse(self.average(map(self.transform, members), own), task.link)

    def average(self, values: Iterable[Array], shares: Array) -> Array:
        """The mean of what the members were transformed to, or their middle. shares: of the
        weight, above zero."""
        if self.middle is None:
            return np.asarray(sum(w * v for w, v in zip(shares, values, strict=True)))
        return self.middle(np.stack([*values]), shares)


class _Answers:
    """Labels, and probabilities where they are kept, filled chunk by chunk."""

    def __init__(self, shape: tuple[int, ...], task: Task, keep_probs: bool) -> None:
        self.task = task
        self.labels: list[Array] = []
        self.probs = np.empty(shape, dtype=np.float32) if keep_probs else None

    def take(self, rows: slice, probs: Array, rule: Array) -> None:
        self.labels.append(self.task.decide(probs, rule))
        if self.probs is not None:
            self.probs[rows] = probs

    def result(self) -> VoteResult:
        return VoteResult(np.concatenate(self.labels), probs=self.probs)


def chunks(shape: tuple[int, ...]) -> list[slice]:
    """Slices over the rows of an array of this shape, each a bounded number of cells; at least
    one, so that no rows give an empty answer of the right shape."""
    step = max(1, _CELLS // max(1, int(np.prod(shape[1:]))))
    return [slice(begin, begin + step) for begin in range(0, max(1, shape[0]), step)]


def checked_weights(members: Sequence[Array], weights: Array, *, signed: bool = False) -> Array:
    """The weights as shares that sum to 1; raises as `Vote.merge` does. signed: whether some may be
    negative."""
    if not len(members):
        raise PredictionsError("nothing to vote: no members. Train a fold, then predict.")
    shapes = sorted({tuple(member.shape) for member in members})
    if len(shapes) > 1:
        raise PredictionsError(f"members have probabilities of different shapes: {shapes}")
    weights = np.asarray(weights, dtype=np.float64)
    usable = weights.shape == (len(members),) and np.isfinite(weights).all()
    if not usable or (not signed and (weights < 0).any()) or weights.sum() <= 0:
        raise ConfigError(
            f"ensemble.weights: {weights.tolist()} for {len(members)} members; "
            "one number >= 0 each, not all zero"
        )
    return np.asarray(weights / weights.sum())


def _decide(merged: Array, vote: Vote, task: Task, rule: Array, keep_probs: bool) -> VoteResult:
    out = _Answers(merged.shape, task, keep_probs)
    for rows in chunks(merged.shape):
        out.take(rows, vote.inverse(merged[rows].astype(np.float64), task.link), rule)
    return out.result()


def merged_ranks(members: Sequence[Array], shares: Array, parts: Array | None) -> Array:
    """(N, C) float32: the weighted mean of the members' ranks within each column, in (0, 1)."""
    total: Array = np.zeros(members[0].shape, dtype=np.float32)
    for place, (member, share) in enumerate(zip(members, shares, strict=True)):
        own = None if parts is None else parts[place] if parts.ndim == 2 else parts
        groups = [slice(None)] if own is None else [own == number for number in np.unique(own)]
        for begin in range(0, members[0].shape[1] if share else 0, _COLUMNS):
            columns = slice(begin, begin + _COLUMNS)
            block = np.asarray(member[:, columns])
            for rows in groups:
                total[rows, columns] += share * _ranks(block[rows])
    return total


def _ranks(block: Array) -> Array:
    """Mid-ranks of each column as shares of its rows: (0.5 .. n - 0.5) / n, ties their mean."""
    out = np.empty(block.shape, dtype=np.float32)
    for c, column in enumerate(block.T):
        order = np.argsort(column, kind="stable")
        ranked = column[order]
        new = np.append(True, ranked[1:] != ranked[:-1])
        begins = np.flatnonzero(new)
        ends = np.append(begins[1:], len(ranked))
        out[order, c] = ((begins + ends) / 2 / len(ranked))[np.cumsum(new) - 1]
    return out


def _majority(members: Sequence[Array], shares: Array, task: Task, rule: Array) -> VoteResult:
    """Each member decides by its rule; the weighted majority of these votes wins.

    Sigmoid: yes with more than half of the weight, no with less; at exactly half, yes when the mean
    probability reaches the mean threshold. Softmax: the class with the most weight; of classes that
    tie, the one with the largest mean probability plus mean offset. Grades: the one with the most
    weight; of those that tie, the nearest to the mean grade under the mean cut points.
    """
    rules = np.broadcast_to(rule, (len(members), *np.shape(rule)[-1:]))
    centre = rules[0] if (rules == rules[0]).all() else shares @ rules
    labels = []
    for rows in chunks(members[0].shape):
        votes, mean = np.zeros((2, *np.shape(members[0][rows])))
        for member, weight, own in zip(members, shares, rules, strict=True):
            part = np.asarray(member[rows], dtype=np.float64)
            votes += weight * _ballot(task.link, part, own)
            mean += weight * part
        found = _MAJORITIES[task.link.tuner](task.link, votes, mean, centre)
        labels.append(found[:, 0] if found.ndim > task.target_ndim else found)
    return VoteResult(np.concatenate(labels))


def _ballot(link: Link, probs: Array, rule: Array) -> Array:
    """(N, C): the vote of one member as zeros and ones."""
    labels = link.decide(probs, rule)
    if labels.ndim == probs.ndim:
        return labels
    return np.moveaxis(one_hot(labels, probs.shape[1]), -1, 1)


def ballots(task: Task, probs: Array, rule: Array) -> Array:
    """(N, C) float64: the decisions of one member, and a trace of how sure it was.

    For searches over weights: means of these decide as the majority does, ties included, as long
    as shares of the weight differ by more than the trace.
    """
    sure = _SURE[task.link.tuner](probs, rule)
    return np.asarray(_ballot(task.link, probs, rule) + _TRACE * sure)


_SURE: dict[str, Callable[[Array, Array], Array]] = {
    "thresholds": lambda probs, rule: probs - rule,
    "offsets": lambda probs, rule: probs + rule,
    "new": lambda probs, rule: probs + rule,
    "cuts": lambda probs, _: probs,
}


def _more_than_half(link: Link, share: Array, mean: Array, rule: Array) -> Array:
    tied = np.abs(share - 0.5) <= _TIE
    return np.where(tied, link.decide(mean, rule), share > 0.5).astype(np.int64)


def _most_votes(link: Link, share: Array, mean: Array, rule: Array) -> Array:
    tied = share >= share.max(axis=1, keepdims=True) - _TIE
    return link.decide(np.where(tied, mean, -np.inf), rule)


def _nearest_votes(link: Link, share: Array, mean: Array, rule: Array) -> Array:
    """Of grades that tie, the nearest to what the mean says."""
    tied = share >= share.max(axis=1, keepdims=True) - _TIE
    away = np.abs(np.arange(share.shape[1]) - link.decide(mean, rule)[:, None])
    return np.asarray(np.where(tied, away, share.shape[1]).argmin(axis=1))


_MAJORITIES: dict[str, Callable[[Link, Array, Array, Array], Array]] = {
    "thresholds": _more_than_half,
    "offsets": _most_votes,
    "new": _most_votes,
    "cuts": _nearest_votes,
}


def _normalized(probs: Array, link: Link) -> Array:
    if not link.normalized:
        return probs
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


def _as_they_are(probs: Array) -> Array:
    return probs


def _inside(probs: Array, link: Link) -> Array:
    """Means of probabilities; what negative weights took out of [0, 1] is brought back."""
    if link.parts:
        return _each_part(_inside, probs, link)
    if link.measures or (probs.min(initial=0) >= 0 and probs.max(initial=0) <= 1):
        return probs
    clipped = np.clip(probs, _CLIP if link.normalized else 0, 1)
    return _normalized(clipped, link)


def _each_part(change: Callable[[Array, Link], Array], means: Array, link: Link) -> Array:
    """The same of several tasks, task by task."""
    blocks = [change(means[:, part.block], part.task.link) for part in link.parts]
    return np.concatenate(blocks, axis=1)


def _ranked(probs: Array, link: Link) -> Array:
    return _normalized(_inside(probs, link), link)


def _power(exponent: float) -> tuple[Callable[[Array], Array], Callable[[Array, Link], Array]]:
    """Power means: the larger the exponent, the more a member counts that is sure of a class."""

    def forward(probs: Array) -> Array:
        return np.asarray(probs**exponent)

    def back(means: Array, link: Link) -> Array:
        return _normalized(np.clip(means, 0, 1) ** (1 / exponent), link)

    return forward, back


def _logs(probs: Array) -> Array:
    return np.asarray(np.log(np.clip(probs, _CLIP, 1)))


def _from_logs(means: Array, link: Link) -> Array:
    return _normalized(np.minimum(np.exp(means), 1), link)


def _log_odds(probs: Array) -> Array:
    inside = np.clip(probs, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _from_log_odds(means: Array, link: Link) -> Array:
    return _normalized(1 / (1 + np.exp(-means)), link)


def _median(members: Array, shares: Array) -> Array:
    """The weighted median of the members, cell by cell; the mean of two middle ones."""
    order = np.argsort(members, axis=0, kind="stable")
    ranked = np.take_along_axis(members, order, axis=0)
    mass = np.cumsum(shares[order], axis=0)
    low = (mass < 0.5 - _TIE).sum(axis=0, keepdims=True).clip(0, len(members) - 1)
    high = (mass <= 0.5 + _TIE).sum(axis=0, keepdims=True).clip(0, len(members) - 1)
    middle = [np.take_along_axis(ranked, place, axis=0)[0] for place in (low, high)]
    return np.asarray((middle[0] + middle[1]) / 2)


def _trimmed(members: Array, shares: Array) -> Array:
    """The weighted mean of the middle of the members, cell by cell: a fifth of the weight is cut
    off at each end."""
    order = np.argsort(members, axis=0, kind="stable")
    ranked = np.take_along_axis(members, order, axis=0)
    ends = np.cumsum(shares[order], axis=0)
    begins = ends - shares[order]
    kept = np.clip(np.minimum(ends, 1 - _TRIM) - np.maximum(begins, _TRIM), 0, None)
    return np.asarray((ranked * (kept / kept.sum(axis=0))).sum(axis=0))


def _middle(means: Array, link: Link) -> Array:
    if link.parts:
        return _each_part(_middle, means, link)
    return _normalized(np.maximum(means, _CLIP), link) if link.normalized else means


VOTES = {
    vote.name: vote
    for vote in (
        Vote("soft", True, _as_they_are, _inside, measures=True),
        Vote("geometric", True, _logs, _from_logs),
        Vote("logit", True, _log_odds, _from_log_odds),
        Vote("power2", True, *_power(2), maps=False),
        Vote("power4", True, *_power(4), maps=False),
        Vote("rank", True, _as_they_are, _ranked, ranks=True, maps=False),
        Vote("median", True, _as_they_are, _middle, middle=_median, measures=True, signed=False),
        Vote("trimmed", True, _as_they_are, _middle, middle=_trimmed, measures=True, signed=False),
        Vote("hard", False, _as_they_are, _inside, signed=False),
    )
}


def custom_vote(
    name: str,
    transform: Callable[[Array], Array] | None = None,
    inverse: Callable[[Array], Array] | None = None,
) -> Vote:
    """A vote of means from a user's functions; what comes out is clipped and normalized.

    Nothing is assumed of the functions: `rising` is false.
    """

    forward = _as_they_are if transform is None else _cell_by_cell(transform, name, "transform")
    back = _as_they_are if inverse is None else _cell_by_cell(inverse, name, "inverse")

    def merged(means: Array, link: Link) -> Array:
        probs = back(means) if link.measures else np.clip(back(means), 0, 1)
        if np.isnan(probs).any():
            raise CompError(f"vote {name!r}: `inverse` gives values that are not a number")
        return _normalized(np.maximum(probs, _CLIP) if link.normalized else probs, link)

    return Vote(name, True, forward, merged, rising=False, measures=True)


def _cell_by_cell(
    function: Callable[[Array], Array], name: str, part: str
) -> Callable[[Array], Array]:
    """The function, held to a number for each number."""
    call = guarded(function, "vote", name)

    def checked(values: Array) -> Array:
        found = np.asarray(call(values))
        if found.shape != values.shape or found.dtype.kind not in "fiu":
            raise CompError(
                f"vote {name!r}: `{part}` gives {found.dtype} of shape {found.shape} for numbers "
                f"of shape {values.shape}"
            )
        return found

    return checked


def check_vote(vote: Vote, metric: Metric) -> None:
    """Raise ConfigError when the metric wants probabilities and the vote gives none, or when it
    scores numbers and the vote is for probabilities."""
    if "numbers" in metric.of and not vote.measures:
        fitting = ", ".join(other.name for other in VOTES.values() if other.measures)
        raise ConfigError(
            f"ensemble.vote: {vote.name!r} is for probabilities; votes of numbers: {fitting}"
        )
    if metric.wants == "probs" and not vote.gives_probs:
        fitting = ", ".join(other.name for other in VOTES.values() if other.gives_probs)
        raise ConfigError(
            f"ensemble.vote: {vote.name!r} gives decisions, but the metric {metric.name!r} wants "
            f"probabilities; votes that give them: {fitting}. Use `--vote {fitting.split(',')[0]}`."
        )
