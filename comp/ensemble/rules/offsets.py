"""Offsets of a softmax: the class with the largest `probs + offset` is the answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.core import rng
from comp.ensemble.rules.cuts import SWEEPS, TIE, nearest_point, whole_weights
from comp.ensemble.rules.searched import search_offsets
from comp.tasks.kinds import Task
from comp.tasks.metrics import Counts, Metric

Array = np.ndarray[Any, Any]

_GAP = 1e-12  # break points nearer than this are one: sums of floats could not tell them apart
_DRAWN = 2  # random starts, besides the neutral rule and the one that evens the classes out
_SMALL = 200_000  # cells: above, random starts cost more than they find


def tune_offsets(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None = None
) -> Array:
    """The best rule (C,) of coordinate ascents from several starts; of equals the first.

    Each step is the best there is for its class, the whole need not be. The first start is the
    neutral rule, so that the result is never worse than it.
    """
    neutral = task.link.neutral(probs.shape[1])
    if metric.by_class is None or len(target) == 0:
        if not metric.searched or len(target) == 0:
            return neutral
        sign = 1 if metric.greater_is_better else -1
        count = len(neutral)
        return search_offsets(
            lambda rule: sign * metric.score(target, task.decide(probs, rule), count, weights),
            count,
            neutral,
        )
    wide = np.asarray(probs, dtype=np.float64)
    mass = whole_weights(weights, len(target))

    def score(rule: Array) -> float:
        labels = task.decide(wide, rule)
        return float(metric.weighted(target, labels, len(rule), mass[None].astype(float))[0])

    best, rule = -np.inf, neutral
    for start in _starts(neutral, wide):
        found, reached = _ascend(metric.by_class, score, target, wide, mass, start)
        if reached > best + TIE:
            best, rule = reached, found
    return rule


def _starts(neutral: Array, probs: Array) -> list[Array]:
    shares = probs.mean(axis=0)
    starts = [neutral, neutral + (shares.max() - shares)]
    if probs.size <= _SMALL:
        draw = rng.generator("offsets")
        starts += [neutral + 0.2 * draw.standard_normal(len(neutral)) for _ in range(_DRAWN)]
    return starts


def _ascend(
    part: Counts, score: Any, target: Array, probs: Array, weights: Array, start: Array
) -> tuple[Array, float]:
    """The rule and its score, after sweeps over the classes until one gains nothing."""
    rule, best = start, score(start)
    for _ in range(SWEEPS):
        before = best
        for c in range(len(rule)):
            moved = rule.copy()
            moved[c] = _best_offset(part, target, probs, weights, rule, c)
            reached = score(moved)
            if reached > best + TIE:
                rule, best = moved, reached
        if best == before:
            break
    return rule, best


def _best_offset(
    part: Counts, target: Array, probs: Array, weights: Array, rule: Array, c: int
) -> float:
    """The best offset of class `c` while the others stay.

    An image goes over to `c` from its strongest rival when the offset exceeds the margin between
    the two, so the score changes only at the N margins. O(N log N).
    """
    others = probs + rule
    others[:, c] = -np.inf
    rival = others.argmax(axis=1)
    margin = others[np.arange(len(rival)), rival] - probs[:, c]
    order = np.argsort(margin)
    margin = margin[order]
    scores = _scores_of_cuts(part, target[order], rival[order], weights[order], c, len(rule))
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(margin) > _GAP) + 1, [len(margin)]])
    scores = scores[cuts]
    best = cuts[scores >= np.nanmax(scores) - TIE]
    edges = np.concatenate([[margin[0] - 1], margin, [margin[-1] + 1]])
    return nearest_point(0.0, edges[best], edges[best + 1])


def _sums(groups: Array, weights: Array, classes: int) -> Array:
    """Whole weights summed by group, exactly: they stay far below 2**53."""
    return np.bincount(groups, weights, classes).astype(np.int64)


def _scores_of_cuts(
    part: Counts, target: Array, rival: Array, weights: Array, c: int, classes: int
) -> Array:
    """(N + 1,): the score when the first k images answer `c` and the others their rival."""
    size = int(weights.sum())
    totals, answers = _sums(target, weights, classes), _sums(rival, weights, classes)
    hit = np.where(target == rival, weights, 0)
    hits = _sums(rival, hit, classes)

    def parts(tp: Array, chosen: Array, positives: Array) -> Array:
        """(2, ...): the part of a class, 0 where undefined; and whether it is defined."""
        value = part(tp, chosen - tp, positives - tp, size - chosen - positives + tp)
        return np.stack([np.nan_to_num(value), ~np.isnan(value)])

    gone, hits_gone = _gone_before(rival, weights, hit)
    left, hits_left, positives = answers[rival] - gone, hits[rival] - hits_gone, totals[rival]
    change = parts(hits_left - hit, left - weights, positives) - parts(hits_left, left, positives)
    start = np.delete(parts(hits, answers, totals), c, axis=1).sum(axis=1, keepdims=True)
    own_hits = np.append(0, np.cumsum(np.where(target == c, weights, 0)))
    own = parts(own_hits, np.append(0, np.cumsum(weights)), totals[c])
    value, defined = own + start + np.append(np.zeros((2, 1)), change.cumsum(axis=1), axis=1)
    return np.asarray(value / np.maximum(defined.round(), 1))


def _gone_before(rival: Array, weights: Array, hit: Array) -> tuple[Array, Array]:
    """The weight, and the weight of hits, that the rival of each image has lost before it."""
    group = np.argsort(rival, kind="stable")
    ordered = rival[group]
    opens = np.append(True, ordered[1:] != ordered[:-1])
    first = np.flatnonzero(opens)[np.cumsum(opens) - 1]  # where the group of each row begins
    out = []
    for values in (weights, hit):
        before = np.append(0, np.cumsum(values[group]))[:-1]
        lost = np.empty_like(before)
        lost[group] = before - before[first]
        out.append(lost)
    return out[0], out[1]
