"""What to expect of a tuned rule: cross-fitted scores and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from comp.core import rng
from comp.core.errors import TuneError
from comp.ensemble.rules.cuts import TIE
from comp.ensemble.rules.thresholds import shrunk, tune
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]

_CELLS = 2_500_000  # weights held at once: 20 MB
_FEW = 100  # positives of a column: with fewer its threshold may be drawn to the neutral one
_STRENGTHS = (0.0, 3.0, 10.0, 30.0)


def fit_rule(
    task: Task,
    metric: Metric,
    target: Array,
    probs: Array,
    fold: Array,
    weights: Array | None = None,
) -> tuple[Array, float]:
    """The tuned rule (C,), and how strongly it was drawn to the neutral one (0: not at all).

    Where a threshold has few positives, the strength whose cross-fitted score is best is taken: by
    `shrunk`, with the folds of these rows.
    """
    rule = tune(task, metric, target, probs, weights)
    neutral = task.link.neutral(probs.shape[1])
    if (
        task.link.normalized
        or task.link.parts
        or (rule == neutral).all()
        or len(np.unique(fold)) < 2
    ):
        return rule, 0.0
    positives = (target.reshape(probs.shape) > 0).sum(axis=0)
    if positives.min() >= _FEW:
        return rule, 0.0
    labels = np.empty((len(_STRENGTHS), *target.shape), dtype=np.int64)
    for number in np.unique(fold):
        here = fold == number
        rest = None if weights is None else weights[~here]
        found = tune(task, metric, target[~here], probs[~here], rest)
        own = (target[~here].reshape(-1, probs.shape[1]) > 0).sum(axis=0)
        for row, strength in enumerate(_STRENGTHS):
            labels[row, here] = task.decide(probs[here], shrunk(found, neutral, own, strength))
    classes = max(2, probs.shape[1])
    scores = [metric.score(target, answer, classes, weights) for answer in labels]
    best = max(range(len(scores)), key=lambda row: (scores[row] > scores[0] + TIE, scores[row]))
    best = best if scores[best] > scores[0] + TIE else 0
    return shrunk(rule, neutral, positives, _STRENGTHS[best]), _STRENGTHS[best]


def check_folds(fold: Array) -> Array:
    """The numbers of the folds, sorted; TuneError with fewer than two."""
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise TuneError(
            f"{len(numbers)} folds to cross-fit a rule on; at least 2 are needed. Train more folds "
            "or set `ensemble.tune: false`."
        )
    return numbers


def gain_of_mixing(score: Callable[[Array], float], answers: Array, fold: Array) -> float:
    """How much higher the answers of several fits together score than those of one.

    answers: (K, N, ...) of all rows by the fit of each fold, in the order of their numbers. The
    fits go round the folds, so each decides each fold once; then each decides all rows. The two
    means are of the same decisions, and equal for a score that is a mean over rows. A mean of
    ratios is higher for a mixture: a rule that says yes too often and one that says it too seldom
    have a better F1 together than each alone. 0 where a score is not defined.
    """
    if (answers == answers[0]).all():
        return 0.0
    place, rows = np.unique(fold, return_inverse=True)[1], np.arange(len(fold))
    rounds = [(place + shift) % len(answers) for shift in range(len(answers))]
    together = np.mean([score(answers[turn, rows]) for turn in rounds])
    found = float(together - np.mean([score(answer) for answer in answers]))
    return found if np.isfinite(found) else 0.0


# Independent units (groups, or images where there are none). With five a test that flips the sign
# of each has no p-value below 2 / 2**5 = 6 %, so nothing that they show is certain; a bootstrap of
# less than ten clusters covers too little (Cameron, Gelbach & Miller 2008)
LEAST_UNITS, FEW_UNITS = 6, 10


def units_of(count: int, groups: Sequence[str] | None) -> int:
    """How many units a bootstrap of `count` rows draws."""
    return count if groups is None else len({*groups})


def few_units_text(units: int, groups: Sequence[str] | None) -> str:
    """What to say of an interval from so few units; "" where there are enough."""
    if units >= FEW_UNITS:
        return ""
    return f"from {units} {'images' if groups is None else 'groups'} only, so it is too narrow"


def bootstrap(
    metric: Metric,
    target: Array,
    answer: Array,
    classes: int,
    groups: Sequence[str] | None,
    seed: int,
    rounds: int = 500,
    weights: Array | None = None,
) -> tuple[float, float]:
    """The 95 % percentile interval of the score, over rows drawn again with replacement.

    weights: (N,) how much each row counts, times how often it is drawn; None: all alike.
    Where there are groups, (N,) text, whole groups are drawn: their rows are not independent.
    Rounds in which the metric is undefined are left out; NaN, NaN when none is left. Efron &
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    draw = rng.generator(seed, "bootstrap")
    units = np.arange(len(target)) if groups is None else _numbered(groups)
    count = int(units.max()) + 1 if len(units) else 0
    rows = 1.0 if weights is None else np.asarray(weights)
    scores: list[Array] = []
    step = max(1, _CELLS // max(1, len(target)))
    for begin in range(0, rounds if count else 0, step):
        picks = draw.integers(count, size=(min(step, rounds - begin), count))
        often = np.stack([np.bincount(row, minlength=count) for row in picks])
        drawn = often[:, units].astype(float) * rows
        scores.append(metric.weighted(target, answer, classes, drawn))
    found = np.concatenate(scores) if scores else np.empty(0)
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _numbered(groups: Sequence[str]) -> Array:
    return np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1]
