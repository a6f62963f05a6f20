"""The metrics of numbers, each with row weights; columns are averaged.

Targets and answers are (N, C) float64, weights (R, N). scikit-learn and SciPy are the judges in the
tests. A bootstrap draws rows again, so that ranks (Spearman) are those of the drawn rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.tasks.counts import divide, mean_of_defined

Array = np.ndarray[Any, Any]


def _mean(values: Array, weights: Array) -> Array:
    """(R, C): the weighted mean of each column."""
    return divide(weights @ values, weights.sum(axis=1, keepdims=True))


def _error(measure: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    def cells(target: Array, answer: Array) -> Array:
        return measure(np.asarray(answer, dtype=np.float64) - target)

    return cells


_squares, _sizes = _error(np.square), _error(np.abs)


def mse(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The mean squared error."""
    return mean_of_defined(_mean(_squares(target, answer), weights))


def rmse(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The root of the mean squared error, column by column (MCRMSE)."""
    return mean_of_defined(np.sqrt(_mean(_squares(target, answer), weights)))


def mae(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The mean absolute error."""
    return mean_of_defined(_mean(_sizes(target, answer), weights))


def medae(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The median absolute error."""
    sizes = _sizes(target, answer)
    return mean_of_defined(np.stack([_medians(c, weights) for c in sizes.T], axis=-1))


def _medians(values: Array, weights: Array) -> Array:
    """(R,): the weighted median, the mean of the two middle values where it lies between them."""
    order = np.argsort(values, kind="stable")
    ranked, mass = values[order], np.cumsum(weights[:, order], axis=1)
    half = mass[:, -1:] / 2
    rows = np.arange(len(weights))
    low = np.minimum((mass < half * (1 - 1e-12)).sum(axis=1), len(values) - 1)
    high = np.minimum((mass <= half * (1 + 1e-12)).sum(axis=1), len(values) - 1)
    none = mass[rows, -1] <= 0
    return np.where(none, np.nan, (ranked[low] + ranked[high]) / 2)


def r2(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The share of the variance that is explained; not defined where the target is constant."""
    left = _mean(_squares(target, answer), weights)
    return mean_of_defined(1 - divide(left, _variance(target, weights)))


def _variance(values: Array, weights: Array) -> Array:
    centre = values.mean(axis=0)  # first, so that large numbers lose no digits
    moved = values - centre
    found = _mean(moved**2, weights) - _mean(moved, weights) ** 2
    scale = np.maximum(_mean(moved**2, weights), 1e-300)
    return np.asarray(np.where(found > 1e-12 * scale, found, 0.0))


def rmsle(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """RMSE of log(1 + number); answers below zero count as zero. Targets must be above -1."""
    logs = np.log1p(np.maximum(np.asarray(answer, dtype=np.float64), 0))
    return rmse(np.log1p(target), logs, _, weights)


def mape(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The mean absolute error as a share of the target, as scikit-learn defines it."""
    shares = _sizes(target, answer) / np.maximum(np.abs(target), np.finfo(np.float64).eps)
    return mean_of_defined(_mean(shares, weights))


def pearson(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The linear correlation; not defined where target or answer is constant."""
    answer = np.asarray(answer, dtype=np.float64)
    one, other = target - target.mean(axis=0), answer - answer.mean(axis=0)
    both = _mean(one * other, weights) - _mean(one, weights) * _mean(other, weights)
    spread = np.sqrt(_variance(target, weights) * _variance(answer, weights))
    return mean_of_defined(divide(both, spread))


def spearman(target: Array, answer: Array, _: int, weights: Array) -> Array:
    """The correlation of ranks, ties with their mean rank among the drawn rows."""
    columns = []
    for true, given in zip(target.T, np.asarray(answer, dtype=np.float64).T, strict=True):
        pairs = [
            pearson(_ranks(true, row)[:, None], _ranks(given, row)[:, None], 1, row[None])
            for row in weights
        ]
        columns.append(np.concatenate(pairs))
    return mean_of_defined(np.stack(columns, axis=-1))


def _ranks(values: Array, weights: Array) -> Array:
    """(N,): the mean rank of each value where row i occurs `weights[i]` times."""
    _, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place, weights)
    return np.asarray((np.cumsum(counts) - counts / 2)[place])


# name -> function, whether greater is better
NUMBER_METRICS: dict[str, tuple[Callable[[Array, Array, int, Array], Array], bool]] = {
    "rmse": (rmse, False),
    "mse": (mse, False),
    "mae": (mae, False),
    "medae": (medae, False),
    "r2": (r2, True),
    "rmsle": (rmsle, False),
    "mape": (mape, False),
    "pearson": (pearson, True),
    "spearman": (spearman, True),
}
