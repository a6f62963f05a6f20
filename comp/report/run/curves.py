"""What one score per image says about a 0/1 truth: ROC, precision and recall, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.tasks.counts import divide

Array = np.ndarray[Any, Any]

BINS = 15  # of the reliability diagram, as in Guo et al. 2017


@dataclass(frozen=True)
class Curve:
    """What each threshold gives, from the highest down.

    `fpr, recall, precision`  (T + 1,) false positive rate, recall, precision; the first point is of
                              a threshold that nothing reaches
    `area`                    under the ROC curve; NaN where one side is missing
    `average_precision`       as scikit-learn sums it; NaN without positives
    """

    fpr: Array
    recall: Array
    precision: Array
    area: float
    average_precision: float


def curve_of(truth: Array, scores: Array) -> Curve:
    """The curves of one class. truth: (N,) bool; scores: (N,), higher means more likely."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked, hits = np.asarray(scores)[order], np.cumsum(np.asarray(truth, dtype=bool)[order])
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)[: len(ranked)]
    tp = np.concatenate([[0], hits[ends]]).astype(float)
    fp = np.concatenate([[0], ends + 1 - hits[ends]]).astype(float)
    ones, zeros = (tp[-1], fp[-1]) if len(ends) else (0.0, 0.0)
    recall, fpr = divide(tp, np.full(len(tp), ones)), divide(fp, np.full(len(fp), zeros))
    precision = np.nan_to_num(divide(tp, tp + fp), nan=1.0)
    area = float(np.trapezoid(recall, fpr)) if ones and zeros else float("nan")
    average = float((np.diff(recall) * precision[1:]).sum()) if ones else float("nan")
    return Curve(fpr, recall, precision, area, average)


@dataclass(frozen=True)
class Reliability:
    """How often answers of a probability are right.

    `said, right, count`  (B,) mean probability, share that is right and number, of the bins that
                          hold something
    `error`               the expected calibration error: the mean gap, weighted by count
    `lean`                mean probability minus the share that is right; above 0: too sure
    """

    said: Array
    right: Array
    count: Array
    error: float
    lean: float


def reliability(said: Array, right: Array) -> Reliability:
    """In 15 bins of equal width (Guo et al., On calibration of modern neural networks, ICML 2017).

    said: (N,) probabilities; right: (N,) bool, whether what they were said of is so.
    """
    said, right = np.asarray(said, dtype=float), np.asarray(right, dtype=float)
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    there = count > 0
    means = np.bincount(place, said, BINS)[there] / count[there]
    shares = np.bincount(place, right, BINS)[there] / count[there]
    gap = float((np.abs(means - shares) * count[there]).sum() / max(len(said), 1))
    lean = float(said.mean() - right.mean()) if len(said) else 0.0
    return Reliability(means, shares, count[there], gap, lean)
