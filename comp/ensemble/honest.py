"""What to expect of a tuned rule: cross-fitted scores and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp import chance
from comp.ensemble.thresholds import tune
from comp.errors import TuneError
from comp.metrics import Metric
from comp.tasks import Task

Array = np.ndarray[Any, Any]

_CELLS = 2_500_000  # weights held at once: 20 MB


def cross_fit(task: Task, metric: Metric, target: Array, probs: Array, fold: Array) -> Array:
    """Labels in the shape of the target; each fold is decided by a rule tuned on the others.

    target: (N,) or (N, C); probs: (N, C); fold: (N,). Raises TuneError with fewer than two folds.
    """
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise TuneError(
            f"{len(numbers)} folds to cross-fit a rule on; at least 2 are needed. Train more folds "
            "or set `ensemble.tune: false`."
        )
    labels = np.empty(target.shape, dtype=np.int64)
    for number in numbers:
        here = fold == number
        rule = tune(task, metric, target[~here], probs[~here])
        labels[here] = task.decide(probs[here], rule)
    return labels


def honest_score(
    task: Task, metric: Metric, target: Array, probs: Array, fold: Array, classes: int
) -> float:
    """The score of a tuned rule that has not seen what it decides: pooled over folds, scored once.

    A metric that wants probabilities has no rule, so that its plain score is the honest one.
    """
    if metric.wants == "probs":
        return metric.score(target, probs, classes)
    return metric.score(target, cross_fit(task, metric, target, probs, fold), classes)


def bootstrap(
    metric: Metric,
    target: Array,
    answer: Array,
    classes: int,
    groups: Sequence[str] | None,
    seed: int,
    rounds: int = 500,
) -> tuple[float, float]:
    """The 95 % percentile interval of the score, over rows drawn again with replacement.

    Where there are groups, (N,) text, whole groups are drawn: their rows are not independent.
    Rounds in which the metric is undefined are left out; NaN, NaN when none is left. Efron &
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    draw = chance.generator(seed, "bootstrap")
    units = np.arange(len(target)) if groups is None else _numbered(groups)
    count = int(units.max()) + 1 if len(units) else 0
    scores: list[Array] = []
    step = max(1, _CELLS // max(1, len(target)))
    for begin in range(0, rounds if count else 0, step):
        picks = draw.integers(count, size=(min(step, rounds - begin), count))
        weights = np.stack([np.bincount(row, minlength=count) for row in picks])
        scores.append(metric.weighted(target, answer, classes, weights[:, units].astype(float)))
    found = np.concatenate(scores) if scores else np.empty(0)
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _numbered(groups: Sequence[str]) -> Array:
    return np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1]
