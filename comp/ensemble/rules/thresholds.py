"""The rule that turns probabilities into decisions, tuned exactly against the metric.

Each sigmoid column gets a threshold (`probs >= threshold` is positive), each class of a softmax an
offset (`comp.ensemble.rules.offsets`), each grade a cut point
(`comp.ensemble.rules.grade_cuts`). The searches try every cut that can change a decision; among
equals they prefer the rule nearest to the neutral one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.ensemble.rules.cuts import SWEEPS, TIE, Cuts, cuts_of, whole_weights
from comp.ensemble.rules.grade_cuts import tune_cuts
from comp.ensemble.rules.new_class import tune_new
from comp.ensemble.rules.offsets import tune_offsets
from comp.ensemble.rules.searched import search_thresholds
from comp.tasks.counts import UNKNOWN, known_cells
from comp.tasks.kinds import Task
from comp.tasks.metrics import Counts, Metric
from comp.tasks.several.parts import known_rows, own_target

Array = np.ndarray[Any, Any]
Tuner = Callable[[Task, Metric, Array, Array, Array | None], Array]


def tune(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None = None
) -> Array:
    """The rule (C,) that scores best on these targets; never worse than the neutral rule.

    target: (N,) or (N, C), of which unknown cells do not count; probs: (N, C). weights: (N,) how
    much each row counts; None: all alike. The neutral rule comes back
    where nothing can be tuned: the metric wants probabilities, or is no function of separate
    counts.
    """
    return TUNERS[task.link.tuner](task, metric, target, probs, weights)


def _thresholds(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None
) -> Array:
    """By column where the metric is a mean over columns, else the search that its counts allow."""
    truth = target.reshape(probs.shape)
    neutral = task.link.neutral(probs.shape[1])
    score = metric.column_score(task.target_ndim)
    whole = None if weights is None else whole_weights(weights, len(truth))
    if score is not None:
        return _by_column(score, truth, probs, neutral, whole)
    if task.target_ndim == 2 and metric.by_total is not None:
        return _pooled_f1(truth, probs, neutral, whole)
    if task.target_ndim == 2 and metric.by_row is not None:
        return _by_row(metric.by_row, truth, probs, neutral, whole)
    if metric.searched:
        return search_thresholds(_scored(task, metric, target, probs, weights), probs, neutral)
    return neutral


def _scored(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None
) -> Callable[[Array], float]:
    """Rule -> its score on these targets, higher is better."""
    sign, classes = 1 if metric.greater_is_better else -1, max(2, probs.shape[1])
    return lambda rule: sign * metric.score(target, task.decide(probs, rule), classes, weights)


def _by_column(
    score: Counts, truth: Array, probs: Array, neutral: Array, weights: Array | None
) -> Array:
    pairs = zip(_known_columns(truth, probs, weights), neutral, strict=True)
    return np.array([exact_threshold(t, p, score, n, w) for (t, p, w), n in pairs])


def _known_columns(
    truth: Array, probs: Array, weights: Array | None
) -> list[tuple[Array, Array, Array | None]]:
    """Target, probabilities and weights of each column, of the images of which it is known."""
    columns = np.ascontiguousarray(truth.T), np.ascontiguousarray(np.asarray(probs).T)
    known = known_cells(truth)
    if known is None:
        return [(t, p, weights) for t, p in zip(*columns, strict=True)]
    return [
        (t[k], p[k], None if weights is None else weights[k])
        for t, p, k in zip(*columns, known.T, strict=True)
    ]


def exact_threshold(
    target: Array,
    probs: Array,
    score: Counts,
    neutral: float = 0.5,
    weights: Array | None = None,
) -> float:
    """The best threshold of one column under `score`, a function of (tp, fp, fn, tn).

    target, probs: (N,); weights: (N,) whole numbers. One sort, O(N log N). Exact, because the
    counts change only at probabilities that occur. Among the best cuts the threshold nearest to
    `neutral` wins, then the higher one; within a cut it is `neutral` when that lies inside, else
    the middle. `neutral` where there are no positives or nothing to cut: the order of the rows
    never matters.
    """
    cuts = cuts_of(target, probs, weights)
    if cuts is None:
        return float(neutral)
    total = len(target) if weights is None else int(weights.sum())
    fp = cuts.chosen - cuts.tp
    missed = cuts.positives - cuts.tp
    scores = score(cuts.tp, fp, missed, total - cuts.chosen - missed)
    return cuts.nearest(scores >= np.nanmax(scores) - TIE, neutral)


def _pooled_f1(truth: Array, probs: Array, neutral: Array, weights: Array | None) -> Array:
    """Thresholds for the best F1 of all cells together, by Dinkelbach's iteration.

    For a ratio F the best cut of each column maximizes 2 tp - F * chosen by itself; F then rises
    to the ratio of the cuts found, until it stays. W. Dinkelbach, On nonlinear fractional
    programming, Management Science 13 (1967).
    """
    columns = [cuts_of(*column) for column in _known_columns(truth, probs, weights)]
    mass = np.ones((len(truth), 1), dtype=np.int64) if weights is None else weights[:, None]
    chosen = ((probs >= neutral) & (truth != UNKNOWN)) * mass
    truth = (truth > 0) * mass
    constant = [c for c, cuts in enumerate(columns) if cuts is None]
    hits = float(np.minimum(chosen, truth)[:, constant].sum())
    taken = float(chosen[:, constant].sum()) + float(truth.sum())
    ratio, rule = _f1_of(truth, chosen), neutral.copy()
    while True:
        picks = [None if cuts is None else _best_for(cuts, ratio) for cuts in columns]
        pairs = [(cuts, mask) for cuts, mask in zip(columns, picks, strict=True) if cuts]
        tp = hits + sum(float(cuts.tp[mask][0]) for cuts, mask in pairs)
        out = taken + sum(float(cuts.chosen[mask][0]) for cuts, mask in pairs)
        found = 2 * tp / out if out else 0.0
        if found <= ratio + TIE:
            return rule
        ratio = found
        rule = np.array(
            [n if cuts is None or mask is None else cuts.nearest(mask, n)
             for cuts, mask, n in zip(columns, picks, neutral, strict=True)]
        )  # fmt: skip


def _best_for(cuts: Cuts, ratio: float) -> Array:
    gains = 2 * cuts.tp - ratio * cuts.chosen
    return np.asarray(gains >= gains.max() - TIE * len(gains))


def _f1_of(truth: Array, chosen: Array) -> float:
    """truth, chosen: (N, C) the weight of each cell that is, or is said to be, a one."""
    both = float(truth.sum() + chosen.sum())
    return 2 * float(np.minimum(chosen, truth).sum()) / both if both else 0.0


def _by_row(
    part: Counts, truth: Array, probs: Array, neutral: Array, weights: Array | None
) -> Array:
    """Thresholds for a mean over images, one column after another, each chosen exactly.

    What an image gains by a label depends on its other labels alone, so the best cut of a column
    is the largest sum of gains from the top. It ends when a sweep over the columns gains nothing.
    """
    rule, known = neutral.copy(), truth != UNKNOWN
    size, mass = known.sum(axis=1), 1.0 if weights is None else weights / max(weights.max(), 1)
    chosen = np.asarray(probs >= rule) & known
    truth = truth > 0
    positives = truth.sum(axis=1)
    for _ in range(SWEEPS):
        moved = False
        for c in range(len(rule)):
            kept = chosen.copy()
            kept[:, c] = False
            hits, count = (kept & truth).sum(axis=1), kept.sum(axis=1)
            with_c, taken = hits + truth[:, c], count + 1
            no = part(hits, count - hits, positives - hits, size - count - positives + hits)
            yes = part(with_c, taken - with_c, positives - with_c,
                       size - taken - positives + with_c)  # fmt: skip
            own = known[:, c]
            gains = ((yes - no) * mass)[own]
            found = _best_sum(gains, probs[own, c], neutral[c], chosen[own, c])
            if found is not None:
                rule[c], moved = found, True
                chosen[:, c] = (probs[:, c] >= found) & own
        if not moved:
            break
    return rule


def _best_sum(gains: Array, probs: Array, neutral: float, chosen: Array) -> float | None:
    """The threshold above which the gains sum to the most; None where the present one does."""
    order = np.lexsort((gains, -probs))
    ranked, total = probs[order], np.append(0.0, np.cumsum(gains[order]))
    cuts = cuts_of(np.ones(len(probs), dtype=np.int64), probs)
    if cuts is None or gains[chosen].sum() >= total.max() - TIE * len(ranked):
        return None
    sums = total[cuts.chosen.astype(np.int64)]
    if gains[chosen].sum() >= sums.max() - TIE * len(ranked):
        return None
    return cuts.nearest(sums >= sums.max() - TIE * len(ranked), neutral)


def shrunk(rule: Array, neutral: Array, positives: Array, strength: float) -> Array:
    """The rule drawn to the neutral one, the more the fewer positives a column has.

    positives: (C,); with as many of them as `strength` a threshold keeps half of its way.
    """
    keep = positives / np.maximum(positives + strength, 1)
    return np.asarray(neutral + (rule - neutral) * keep)


def _rules(task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None) -> Array:
    """Of several tasks: the rule of each by its own metric, on the images that it knows."""
    rule = task.link.neutral(probs.shape[1])
    for part, own in zip(task.link.parts, metric.parts, strict=True):
        known = known_rows(part, target)
        if own.wants != "labels" or not known.any():
            continue
        counts = None if weights is None else weights[known]
        truth = own_target(part, target[known])
        rule[part.block] = tune(part.task, own, truth, probs[known, part.block], counts)
    return rule


TUNERS: dict[str, Tuner] = {
    "thresholds": _thresholds,
    "offsets": tune_offsets,
    "cuts": tune_cuts,
    "new": tune_new,
    "rules": _rules,
}
