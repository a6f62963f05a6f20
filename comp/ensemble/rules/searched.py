"""A rule for a metric of which nothing is known but its score: a grid, and coordinate ascent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.core.errors import MetricError
from comp.ensemble.rules.cuts import TIE

Array = np.ndarray[Any, Any]

_CALLS = 240  # scores that a search may ask for
_MOST, _LEAST = 31, 3  # points of the grid of one column
_SWEEPS = 2
_OFFSETS = 0.3  # the largest offset that is tried


def search_thresholds(score: Callable[[Array], float], probs: Array, neutral: Array) -> Array:
    """The thresholds (C,) with the highest `score` of a grid of quantiles of each column.

    probs: (N, C). Never worse than `neutral`.
    """
    points = _points(probs.shape[1])
    shares = (np.arange(points) + 1) / (points + 1)
    grids = [np.unique(np.quantile(column, shares)) for column in np.asarray(probs).T]
    return _ascend(score, neutral, grids)


def search_offsets(score: Callable[[Array], float], columns: int, neutral: Array) -> Array:
    """The same for offsets of a softmax, on an even grid."""
    grid = np.linspace(-_OFFSETS, _OFFSETS, _points(columns) | 1)
    return _ascend(score, neutral, [grid] * columns)


def _points(columns: int) -> int:
    return int(np.clip(_CALLS // (columns * _SWEEPS), _LEAST, _MOST))


def _ascend(score: Callable[[Array], float], start: Array, grids: list[Array]) -> Array:
    rule, best, calls = start, _tried(score, start), 1
    for _ in range(_SWEEPS):
        before = best
        for column, grid in enumerate(grids):
            if calls > 2 * _CALLS:  # many classes: those that come first are the ones moved
                return rule
            for value in grid:
                moved = rule.copy()
                moved[column] = value
                reached, calls = _tried(score, moved), calls + 1
                if reached > best + TIE:
                    rule, best = moved, reached
        if best == before:
            break
    return rule


def _tried(score: Callable[[Array], float], rule: Array) -> float:
    """The score under a rule; the worst where it has none, or a metric file refuses the answers."""
    try:
        found = score(rule)
    except MetricError:
        return -np.inf
    return -np.inf if np.isnan(found) else found
