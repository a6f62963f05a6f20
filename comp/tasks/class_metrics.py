"""Further metrics of classes and labels, each with row weights.

Targets and labels are (N,) class numbers or (N, C) zeros and ones without unknown cells,
probabilities (N, C), weights (R, N). scikit-learn is the judge in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.tasks.counts import divide, known_cells, mean_of_defined, without_unknown
from comp.tasks.grades import grade_mae
from comp.tasks.kinds import one_hot

Array = np.ndarray[Any, Any]
Counts = Callable[[Array, Array, Array, Array], Array]


def recall(tp: Array, _fp: Array, fn: Array, _tn: Array) -> Array:
    """Recall of one class; NaN where it has no row."""
    return divide(tp, tp + fn)


def f_beta(beta: float) -> Counts:
    """F-beta of one class: recall counts `beta` times as much as precision."""
    square = beta * beta

    def part(tp: Array, fp: Array, fn: Array, _tn: Array) -> Array:
        return divide((1 + square) * tp, (1 + square) * tp + square * fn + fp)

    return part


def _mean_of_parts(part: Counts) -> Callable[[Array, Array, int, Array], Array]:
    """The mean of a part over the classes, or over the columns, for which it is defined."""

    def score(target: Array, labels: Array, classes: int, weights: Array) -> Array:
        known = known_cells(target)
        if target.ndim == 1:
            truth, answer = one_hot(target, classes), one_hot(labels, classes)
        else:
            truth, answer = without_unknown(target, known), without_unknown(labels, known)
        truth, answer = truth > 0, answer > 0
        there = np.ones(truth.shape, dtype=bool) if known is None else known
        tp, fp, fn, tn = (
            weights @ (found & there).astype(np.float64)
            for found in (truth & answer, ~truth & answer, truth & ~answer, ~truth & ~answer)
        )
        return mean_of_defined(part(tp, fp, fn, tn))

    return score


def confusion(target: Array, labels: Array, classes: int, weights: Array) -> Array:
    """(R, K, K): the weight of the rows of each class (first) that are answered as each."""
    pairs = target * classes + labels
    table = [np.bincount(pairs, row, classes * classes) for row in weights]
    return np.stack(table).reshape(len(weights), classes, classes)


def mcc(target: Array, labels: Array, classes: int, weights: Array) -> Array:
    """Matthews' correlation of classes (Gorodkin 2004); 0 where one side has a single class."""
    table = confusion(target, labels, classes, weights)
    true, given, total = table.sum(axis=2), table.sum(axis=1), table.sum(axis=(1, 2))
    right = np.trace(table, axis1=1, axis2=2)
    above = right * total - (true * given).sum(axis=1)
    below = (total**2 - (true**2).sum(axis=1)) * (total**2 - (given**2).sum(axis=1))
    found = np.nan_to_num(divide(above, np.sqrt(np.maximum(below, 0))))
    return np.where(total > 0, found, np.nan)


def distances(power: int) -> Callable[[int], Array]:
    """classes -> (K, K): how far two classes are apart, to this power; 0: whether they differ."""

    def cost(classes: int) -> Array:
        apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
        return apart.astype(np.float64) ** power * (apart > 0)

    return cost


def _kappa(power: int) -> Callable[[Array, Array, int, Array], Array]:
    """Cohen's kappa; power 2: mistakes cost the square of how many classes they are off."""

    def score(target: Array, labels: Array, classes: int, weights: Array) -> Array:
        table = confusion(target, labels, classes, weights)
        cost = distances(power)(classes)
        total = table.sum(axis=(1, 2), keepdims=True)
        by_chance = table.sum(axis=2, keepdims=True) * table.sum(axis=1, keepdims=True)
        expected = divide(by_chance, total)
        return 1 - divide((cost * table).sum(axis=(1, 2)), (cost * expected).sum(axis=(1, 2)))

    return score


def average_precision(target: Array, probs: Array, _: int, weights: Array) -> Array:
    """The mean over columns, or classes against the rest, of the area under precision and recall as
    scikit-learn sums it; not defined for a column without positives."""
    known = known_cells(target)
    columns = probs.shape[1]
    by_class = target.ndim == 1 and columns > 1
    truth = (one_hot(target, columns) if by_class else target.reshape(probs.shape)) > 0
    there = [slice(None)] * columns if known is None else list(known.T)
    areas = [_precision_area(truth[k, c], probs[k, c], weights[:, k]) for c, k in enumerate(there)]
    return mean_of_defined(np.stack(areas, axis=-1))


def _precision_area(truth: Array, scores: Array, weights: Array) -> Array:
    """(R,)"""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    drawn = weights[:, order]
    hits = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    chosen = np.cumsum(drawn, axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    area = (gained * np.nan_to_num(divide(hits, chosen))).sum(axis=1)
    return divide(area, hits[:, -1])


def brier(target: Array, probs: Array, _: int, weights: Array) -> Array:
    """The mean squared error of the probabilities: of the one column, or summed over the classes
    (Brier 1950); of 0/1 columns their mean."""
    probs = np.asarray(probs, dtype=np.float64)
    if target.ndim == 1 and probs.shape[1] > 1:
        rows = ((probs - one_hot(target, probs.shape[1])) ** 2).sum(axis=1)
        return divide(weights @ rows, weights.sum(axis=1))
    known = known_cells(target)
    cells = (probs - (target.reshape(probs.shape) > 0)) ** 2
    there = np.ones(cells.shape) if known is None else known.astype(np.float64)
    return mean_of_defined(divide(weights @ (cells * there), weights @ there))


def top_k(count: int) -> Callable[[Array, Array, int, Array], Array]:
    """The share of rows whose class is among the `count` most probable; classes that tie share
    the places that are left."""

    def score(target: Array, probs: Array, _: int, weights: Array) -> Array:
        above, equal = _above_and_equal(target, probs)
        found = np.clip((count - above) / equal, 0, 1)  # of equal ones as many as have a place
        return divide(weights @ found, weights.sum(axis=1))

    return score


def map_at(count: int) -> Callable[[Array, Array, int, Array], Array]:
    """Mean average precision at `count` where a row has one right class: the mean of 1 / rank of
    that class, 0 beyond the first `count`; classes that tie share the mean of their ranks' parts.
    """
    parts = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, count + 1))])

    def score(target: Array, probs: Array, _: int, weights: Array) -> Array:
        above, equal = _above_and_equal(target, probs)
        first, last = np.minimum(above, count), np.minimum(above + equal, count)
        return divide(weights @ ((parts[last] - parts[first]) / equal), weights.sum(axis=1))

    return score


def _above_and_equal(target: Array, probs: Array) -> tuple[Array, Array]:
    """(N,) each: how many classes are more probable than the right one, how many are as probable,
    itself among them."""
    if probs.shape[1] == 1:
        probs = np.concatenate([1 - probs, probs], axis=1)
    own = np.take_along_axis(probs, target[:, None], axis=1)
    return (probs > own).sum(axis=1), (probs == own).sum(axis=1)


_CLASS, _BOTH = ("class",), ("class", "columns")
_F2, _FHALF = f_beta(2), f_beta(0.5)
# name -> what `comp.tasks.metrics.Metric` is made from
CLASS_METRICS: dict[str, dict[str, Any]] = {
    "balanced_accuracy": {
        "weighted": _mean_of_parts(recall), "wants": "labels", "of": _CLASS, "by_class": recall
    },
    "macro_f2": {
        "weighted": _mean_of_parts(_F2), "wants": "labels", "of": _BOTH, "by_class": _F2,
        "by_column": _F2,
    },
    "macro_f0.5": {
        "weighted": _mean_of_parts(_FHALF), "wants": "labels", "of": _BOTH, "by_class": _FHALF,
        "by_column": _FHALF,
    },
    "mcc": {"weighted": mcc, "wants": "labels", "of": _CLASS},
    "kappa": {
        "weighted": _kappa(0), "wants": "labels", "of": _CLASS, "cost": distances(0),
        "by_chance": True,
    },
    "qwk": {
        "weighted": _kappa(2), "wants": "labels", "of": _CLASS, "cost": distances(2),
        "by_chance": True,
    },
    "grade_mae": {
        "weighted": grade_mae, "wants": "labels", "of": _CLASS, "greater_is_better": False,
        "cost": distances(1),
    },
    "average_precision": {"weighted": average_precision, "wants": "probs", "of": _BOTH},
    "brier_score": {"weighted": brier, "wants": "probs", "of": _BOTH, "greater_is_better": False},
    "top3_accuracy": {"weighted": top_k(3), "wants": "probs", "of": _CLASS},
    "top5_accuracy": {"weighted": top_k(5), "wants": "probs", "of": _CLASS},
    "map_at_3": {"weighted": map_at(3), "wants": "probs", "of": _CLASS},
    "map_at_5": {"weighted": map_at(5), "wants": "probs", "of": _CLASS},
}  # fmt: skip
