"""The rule that turns probabilities into decisions, tuned exactly against the metric.

Sigmoid columns get a threshold each (`probs >= threshold` is positive), a softmax gets an offset a
class (the class with the largest `probs + offset` is the answer). Both searches try every cut that
can change a decision, and both prefer the rule nearest to the neutral one among equals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.metrics import Counts, Metric
from comp.tasks import Task

Array = np.ndarray[Any, Any]
Tuner = Callable[[Task, Metric, Array, Array], Array]

_TIE = 1e-12  # scores nearer than this differ by rounding alone
_GAP = 1e-12  # break points nearer than this are one: sums of floats could not tell them apart
_SWEEPS = 10
_SINGLE, _DOUBLE = (np.dtype("f4"), np.dtype("u4")), (np.dtype("f8"), np.dtype("u8"))


def tune(task: Task, metric: Metric, target: Array, probs: Array) -> Array:
    """The rule (C,) that scores best on these targets; never worse than the neutral rule.

    target: (N,) or (N, C); probs: (N, C). The neutral rule comes back where the metric has nothing
    to tune: it wants probabilities, or does not part by column.
    """
    return TUNERS[task.link.tuner](task, metric, target, probs)


def _thresholds(task: Task, metric: Metric, target: Array, probs: Array) -> Array:
    """A threshold for each column by itself, since the metric is a mean over columns."""
    rule = task.link.neutral(probs.shape[1])
    score = metric.column_score(task.target_ndim)
    if score is None:
        return rule
    truth = np.ascontiguousarray(target.reshape(probs.shape).T)
    columns = np.ascontiguousarray(np.asarray(probs).T)
    for c, neutral in enumerate(rule):
        rule[c] = exact_threshold(truth[c], columns[c], score, neutral)
    return rule


def exact_threshold(target: Array, probs: Array, score: Counts, neutral: float = 0.5) -> float:
    """The best threshold of one column under `score`, a function of (tp, fp, fn, tn).

    target, probs: (N,). One sort, O(N log N). Exact, because the counts change only at
    probabilities that occur. Among the best cuts the threshold nearest to `neutral` wins, then the
    higher one; within a cut it is `neutral` when that lies inside, else the middle. `neutral` where
    there are no positives or nothing to cut: the order of the rows never matters.
    """
    ranked, hits = _descending(target, probs)
    positives = int(hits[-1]) if len(hits) else 0
    ends = np.flatnonzero(ranked[1:] != ranked[:-1])  # the last row of each distinct probability
    if positives == 0 or len(ends) == 0:
        return neutral
    ends = np.append(ends, len(ranked) - 1)
    chosen = np.append(0, ends + 1).astype(np.float64)
    tp = np.append(0, hits[ends]).astype(np.float64)
    fp = chosen - tp
    scores = score(tp, fp, positives - tp, len(ranked) - positives - fp)
    edges = _with_outer_edges(ranked[ends])
    best = np.flatnonzero(scores >= np.nanmax(scores) - _TIE)
    return _nearest(neutral, edges[best + 1], edges[best])


def _descending(target: Array, probs: Array) -> tuple[Array, Array]:
    """The probabilities from high to low, and how many positives there are up to each.

    Probabilities are not negative, so their bits sort as they do. With the target as the last bit
    one plain sort of integers orders both, several times faster than `argsort` and two gathers.
    """
    floats, bits = _SINGLE if probs.dtype.itemsize <= 4 else _DOUBLE
    keys = probs.astype(floats).view(bits) << 1  # which drops the sign of a negative zero
    keys |= target.astype(bits)
    keys.sort()
    keys = keys[::-1]
    return (keys >> 1).view(floats), np.cumsum(keys & 1, dtype=np.int64)


def _with_outer_edges(falling: Array) -> Array:
    """Distinct probabilities between an edge above and one below; float64, falling."""
    values = falling.astype(np.float64)
    above = max(1.0, np.nextafter(values[0], np.inf))
    below = min(0.0, np.nextafter(values[-1], -np.inf))
    return np.concatenate([[above], values, [below]])


def _nearest(neutral: float, low: Array, high: Array) -> float:
    """Of the intervals (low, high] the point nearest to `neutral`: itself, or a middle."""
    middle = low + (high - low) / 2
    middle = np.where(middle > low, middle, high)  # neighbours have no middle
    points = np.where((low < neutral) & (neutral <= high), neutral, middle)
    return float(points[np.argmin(np.abs(points - neutral))])


def _offsets(task: Task, metric: Metric, target: Array, probs: Array) -> Array:
    """Coordinate ascent from zeros: the offset of one class after another, each chosen exactly.

    It ends when a sweep over all classes gains nothing. Each step is the best for its class, the
    whole need not be the best there is.
    """
    rule = task.link.neutral(probs.shape[1])
    if metric.by_class is None or len(target) == 0:
        return rule
    wide = np.asarray(probs, dtype=np.float64)
    best = metric.score(target, task.decide(wide, rule), len(rule))
    for _ in range(_SWEEPS):
        before = best
        for c in range(len(rule)):
            moved = rule.copy()
            moved[c] = _best_offset(metric.by_class, target, wide, rule, c)
            score = metric.score(target, task.decide(wide, moved), len(rule))
            if score > best + _TIE:
                rule, best = moved, score
        if best == before:
            break
    return rule


def _best_offset(part: Counts, target: Array, probs: Array, rule: Array, c: int) -> float:
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
    scores = _scores_of_cuts(part, target[order], rival[order], c, len(rule))
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(margin) > _GAP) + 1, [len(margin)]])
    scores = scores[cuts]
    best = cuts[scores >= np.nanmax(scores) - _TIE]
    edges = np.concatenate([[margin[0] - 1], margin, [margin[-1] + 1]])
    return _nearest(0.0, edges[best], edges[best + 1])


def _scores_of_cuts(part: Counts, target: Array, rival: Array, c: int, classes: int) -> Array:
    """(N + 1,): the score when the first k images answer `c` and the others their rival."""
    size = len(target)
    totals = np.bincount(target, minlength=classes)
    answers = np.bincount(rival, minlength=classes)
    hit = target == rival
    hits = np.bincount(rival[hit], minlength=classes)

    def parts(tp: Array, chosen: Array, positives: Array) -> Array:
        """(2, ...): the part of a class, 0 where undefined; and whether it is defined."""
        value = part(tp, chosen - tp, positives - tp, size - chosen - positives + tp)
        return np.stack([np.nan_to_num(value), ~np.isnan(value)])

    gone, hits_gone = _gone_before(rival, hit, answers)
    left, hits_left, positives = answers[rival] - gone, hits[rival] - hits_gone, totals[rival]
    change = parts(hits_left - hit, left - 1, positives) - parts(hits_left, left, positives)
    start = np.delete(parts(hits, answers, totals), c, axis=1).sum(axis=1, keepdims=True)
    own_hits = np.append(0, np.cumsum(target == c))
    own = parts(own_hits, np.arange(size + 1), totals[c])
    value, defined = own + start + np.append(np.zeros((2, 1)), change.cumsum(axis=1), axis=1)
    return np.asarray(value / np.maximum(defined.round(), 1))


def _gone_before(rival: Array, hit: Array, answers: Array) -> tuple[Array, Array]:
    """How many images, and how many hits, the rival of each image has lost before it."""
    group = np.argsort(rival, kind="stable")
    starts = (np.cumsum(answers) - answers)[rival[group]]
    hits_before = np.append(0, np.cumsum(hit[group]))
    gone, hits_gone = np.empty_like(group), np.empty_like(group)
    gone[group] = np.arange(len(group)) - starts
    hits_gone[group] = hits_before[:-1] - hits_before[starts]
    return gone, hits_gone


TUNERS: dict[str, Tuner] = {"thresholds": _thresholds, "offsets": _offsets}
