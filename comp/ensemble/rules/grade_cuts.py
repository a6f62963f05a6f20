"""Cut points of grades: where on the expected grade each grade begins.

A score can change only where a cut point passes an image, so that the cuts lie between sorted
expected grades. For scores that are a mean cost of (grade, answer), such as accuracy and the mean
distance, the best cuts of all are found by one pass over them per grade; for kappas, a ratio of two
such costs, by a few such passes. Other scores climb, one cut after another, by running counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.ensemble.rules.cuts import SWEEPS, TIE, nearest_point, whole_weights
from comp.tasks.counts import mean_of_defined
from comp.tasks.grades import expected_grade
from comp.tasks.kinds import Task
from comp.tasks.metrics import Counts, Metric

Array = np.ndarray[Any, Any]
Scores = Callable[[Array], Array]  # tables (R, K, K), truth by answer -> (R,), larger is better

_GAP = 1e-6  # expected grades nearer than this are one: float32 could not tell them apart
_TRIED = 64  # places of a cut that are tried where a score of counts takes a call each


@dataclass(frozen=True)
class _Line:
    """The images along their expected grade, U places that can be parted.

    `before`       (U + 1, K) float64: the weight of the images of each grade before each place
    `low, high`    (U + 1,) a cut point in (low, high] parts the images before the place from those
                   at it and after
    """

    before: Array
    low: Array
    high: Array

    @property
    def totals(self) -> Array:
        """(K,) the weight of each grade."""
        return np.asarray(self.before[-1])

    def places(self, rule: Array) -> Array:
        """(K - 1,) the place of each cut point of a rule."""
        return np.searchsorted(self.high[:-1], rule[1:], side="left")

    def rule(self, places: Array, neutral: Array) -> Array:
        """The rule with its cut points at these places, each as near to `neutral` as it can be."""
        found = [
            nearest_point(middle, self.low[p : p + 1], self.high[p : p + 1])
            for p, middle in zip(places, neutral[1:], strict=True)
        ]
        return np.concatenate([neutral[:1], np.maximum.accumulate(found)])

    def table(self, places: Array) -> Array:
        """(K, K): the weight of the images of each grade (first) that are answered as each."""
        ends = self.before[np.concatenate([[0], places, [len(self.before) - 1]])]
        return np.asarray(np.diff(ends, axis=0).T)


def _line(target: Array, grades: Array, weights: Array, count: int) -> _Line:
    order = np.argsort(grades, kind="stable")
    ranked = grades[order]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(ranked) > _GAP) + 1])
    cells = np.zeros((len(order), count))
    cells[np.arange(len(order)), target[order]] = weights[order]
    sums = np.add.reduceat(cells, begins, axis=0)
    before = np.concatenate([np.zeros((1, count)), np.cumsum(sums, axis=0)])
    firsts, lasts = ranked[begins], ranked[np.append(begins[1:], len(ranked)) - 1]
    low = np.concatenate([[min(firsts[0], 0.0) - 1], lasts])
    high = np.append(firsts, max(lasts[-1], count - 1.0) + 1)
    return _Line(before, low, high)


def tune_cuts(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None = None
) -> Array:
    """The rule (K,) that scores best on these targets; never worse than the neutral rule.

    target: (N,) grades; probs: (N, K). weights: (N,) how much each row counts. The best
    there is for scores with a cost; for others the best of coordinate ascents from three starts.
    The neutral rule comes back where nothing can be tuned.
    """
    count = probs.shape[1]
    neutral = task.link.neutral(count)
    if metric.wants != "labels" or len(np.unique(target)) < 2:
        return neutral
    mass = whole_weights(weights, len(target)).astype(np.float64)
    line = _line(target, expected_grade(probs), mass, count)
    if metric.cost is not None:
        places = _cheapest(line, metric.cost(count), neutral, by_chance=metric.by_chance)
    else:
        places = _climbed(line, metric, neutral)
    rule = line.rule(places, neutral)
    before, after = (
        metric.weighted(target, task.decide(probs, r), count, mass[None])[0]
        for r in (neutral, rule)
    )
    gain = (after - before) * (1 if metric.greater_is_better else -1)
    return rule if gain > TIE else neutral


def _cheapest(line: _Line, cost: Array, neutral: Array, *, by_chance: bool) -> Array:
    """The places with the lowest mean of `cost` (K, K), truth by answer.

    by_chance: over the mean that answers with the same shares have by chance. The best ratio is
    found by Dinkelbach's iteration (Management Science 13, 1967): with the ratio so far as a price,
    the best places of the priced cost have a lower one, until it stays.
    """
    if not by_chance:
        return _least_cost(line, cost, neutral)
    chance = line.totals @ cost / line.totals.sum()
    places = line.places(neutral)
    ratio = _ratio(line.table(places), cost, chance)
    for _ in range(100):
        found = _least_cost(line, cost - ratio * chance, neutral)
        reached = _ratio(line.table(found), cost, chance)
        if not reached < ratio - TIE:
            break
        places, ratio = found, reached
    return places


def _ratio(table: Array, cost: Array, chance: Array) -> float:
    return float((table * cost).sum() / (table.sum(axis=0) * chance).sum())


def _least_cost(line: _Line, cost: Array, neutral: Array) -> Array:
    """The places with the least sum of costs; of equals the nearest to `neutral`.

    Each cut adds what its place costs by itself, and the places rise: the least sum up to a cut is
    a running minimum. O(U K^2).
    """
    sums = line.before @ cost  # (U + 1, K): answering all before a place with each grade
    steps = sums[:, :-1] - sums[:, 1:]  # of a cut at each place
    slack = TIE * max(1.0, float(np.abs(sums[-1]).max()))
    totals = [steps[:, 0]]
    for own in steps.T[1:]:
        totals.append(own + np.minimum.accumulate(totals[-1]))
    places = np.empty(len(totals), dtype=np.int64)
    last = len(line.before) - 1
    for cut in range(len(totals) - 1, -1, -1):
        reached = totals[cut][: last + 1]
        equal = np.flatnonzero(reached <= reached.min() + slack)
        last = int(equal[_distance(line, equal, neutral[cut + 1]).argmin()])
        places[cut] = last
    return places


def _distance(line: _Line, places: Array, point: float) -> Array:
    """How far each place is from a point; 0 where it holds it."""
    return np.maximum(np.maximum(line.low[places] - point, point - line.high[places]), 0)


def _climbed(line: _Line, metric: Metric, neutral: Array) -> Array:
    """The best of coordinate ascents from the neutral rule, from the places that answer each grade
    as often as it occurs, and from those with the fewest mistakes."""
    scores, tried = _scores_of(metric)
    count = len(neutral)
    shares = np.cumsum(line.totals)[:-1]
    even = np.searchsorted(line.before.sum(axis=1), shares * (1 - TIE))
    fewest = _least_cost(line, 1.0 - np.eye(count), neutral)
    starts = [line.places(neutral), even, fewest]
    found = [_ascend(line, scores, start, tried) for start in starts]
    best = max(range(len(found)), key=lambda k: (found[k][1] > found[0][1] + TIE, found[k][1]))
    return found[best][0]


def _scores_of(metric: Metric) -> tuple[Scores, int | None]:
    """How tables are scored, and how many at once at the most (None: all): from counts per class,
    or by the metric, whose rows are then the cells of the table."""
    part, sign = metric.by_class, 1 if metric.greater_is_better else -1
    if part is not None:
        return lambda tables: _by_class(part, tables), None

    def score(tables: Array) -> Array:
        count = tables.shape[1]
        truth, answer = (grid.ravel() for grid in np.indices((count, count)))
        found = metric.weighted(truth, answer, count, tables.reshape(len(tables), -1))
        return np.asarray(sign * found)

    return score, _TRIED


def _by_class(part: Counts, tables: Array) -> Array:
    tp = np.diagonal(tables, axis1=1, axis2=2)
    fp, fn = tables.sum(axis=1) - tp, tables.sum(axis=2) - tp
    tn = tables.sum(axis=(1, 2))[:, None] - tp - fp - fn
    return mean_of_defined(part(tp, fp, fn, tn))


def _ascend(line: _Line, scores: Scores, start: Array, tried: int | None) -> tuple[Array, float]:
    """The places and their score, after sweeps over the cuts until one gains nothing."""
    places = np.array(start, dtype=np.int64)
    best = float(scores(line.table(places)[None])[0])
    for _ in range(SWEEPS):
        before = best
        for cut in range(len(places)):
            low = places[cut - 1] if cut else 0
            high = places[cut + 1] if cut + 1 < len(places) else len(line.before) - 1
            among = np.arange(low, high + 1)
            if tried is not None and len(among) > tried:
                among = np.unique(np.linspace(low, high, tried).astype(np.int64))
            reached = scores(_moved(line, places, cut, among))
            reached = np.where(np.isnan(reached), -np.inf, reached)
            top = int(reached.argmax())
            if reached[top] > best + TIE:
                places[cut], best = among[top], float(reached[top])
        if best == before:
            break
    return places, best


def _moved(line: _Line, places: Array, cut: int, among: Array) -> Array:
    """(R, K, K): the tables with one cut at each of these places. Only the grades on its two sides
    change, by running counts."""
    tables = np.repeat(line.table(places)[None], len(among), axis=0)
    ends = np.concatenate([[0], places, [len(line.before) - 1]])
    at = line.before[among]
    tables[:, :, cut] = at - line.before[ends[cut]]
    tables[:, :, cut + 1] = line.before[ends[cut + 2]] - at
    return tables
