"""The threshold of the new class: below it, none of the known classes is likely enough.

A rule is (C,) zeros but for the last class, the new one, whose probability is raised by it. So an
image is new where no other probability exceeds that; in a ranking of the likeliest classes, new
stands where its threshold falls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.ensemble.rules.cuts import TIE
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]

_TRIED = 200  # thresholds
_RANKS = 5  # of each image: in a list of the likeliest, a threshold matters at each of them


def tune_new(
    task: Task, metric: Metric, target: Array, probs: Array, weights: Array | None = None
) -> Array:
    """The rule (C,) that scores best on these targets, of at most 200 thresholds between the
    largest probabilities; never worse than the neutral rule.

    target: (N,) class numbers, the last for images of no known class; probs: (N, C).
    """
    columns = probs.shape[1]
    wide = np.asarray(probs, dtype=np.float64)
    sign = 1 if metric.greater_is_better else -1

    def score(rule: Array) -> float:
        shown = metric.wants == "probs"
        answer = task.link.shown(wide, rule) if shown else task.decide(wide, rule)
        found = metric.score(target, answer, columns, weights)
        return -np.inf if np.isnan(found) else sign * found

    rule = task.link.neutral(columns)
    best = score(rule)
    for threshold in _thresholds(wide):
        tried = task.link.neutral(columns)
        tried[-1] = threshold
        reached = score(tried)
        if reached > best + TIE:
            best, rule = reached, tried
    return rule


def _thresholds(probs: Array) -> Array:
    """Between the largest probabilities of all images, over that of the new class."""
    ranked = -np.sort(-probs[:, :-1], axis=1)[:, :_RANKS] - probs[:, -1:]
    values = np.unique(ranked)
    if len(values) < 2:
        return np.empty(0)
    middles = (values[1:] + values[:-1]) / 2
    if len(middles) <= _TRIED:
        return np.asarray(middles)
    return np.asarray(np.quantile(middles, np.linspace(0, 1, _TRIED), method="nearest"))
