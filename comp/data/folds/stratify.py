"""Stratified folds of images or of groups: every count as even as it can be.

A start that is nearly even (`comp.data.folds.starts`), then exchanges between pairs of folds until
every label is within one, or nothing helps (`comp.data.folds.exchanges`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.data.folds.exchanges import EMPTY, Exchanges
from comp.data.folds.starts import DEAL, ITERATIVE, deal, even_sizes, iterative, place

Array = np.ndarray[Any, Any]

_GREEDY = 20_000  # groups; more are dealt in sorted order instead of placed one by one
_HEAVIEST = 1024  # the most that a rare label weighs, next to one that everything has
_FLOAT32 = 1 << 23  # whole numbers below it are exact in float32, doubled ones too


def stratify_images(hot: Array, count: int, seed: int, start: str = DEAL) -> Array:
    """The fold of each image, (N,) int64: sizes within one, and each label too where that can be.

    hot: (N, C) zeros and ones. start: DEAL or ITERATIVE.
    """
    draw = np.random.default_rng(seed)
    fold = deal(hot, count, draw)
    if start == ITERATIVE:
        fold = even_sizes(iterative(hot, count, seed), count, draw)
    exact = np.float32 if len(hot) // count * hot.shape[1] < _FLOAT32 else np.float64
    weights = np.ones(hot.shape[1], dtype=np.int64)
    return Exchanges(hot, fold, count, weights, exact).improve(0)


def stratify_groups(hot: Array, groups: Array, count: int, seed: int, start: str = DEAL) -> Array:
    """The fold of each group, (G,) int64: images and labels are even; where that leaves a choice,
    the groups of rare labels too.

    hot: (N, C) zeros and ones. groups: (N,) numbers 0..G-1, each there. start: DEAL or ITERATIVE.
    A deviation weighs more, the rarer the label is: what counts is its share of the label.
    """
    counts = unit_counts(hot, groups)

    def arranged(units: Array, weights: Array) -> Array:
        draw = np.random.default_rng(seed)
        if start == ITERATIVE:
            fold = iterative(counts[:, 1:] > 0, count, seed)
        elif len(units) <= _GREEDY:
            fold = place(units, weights, np.zeros((count, units.shape[1]), dtype=np.int64), draw)
        else:
            fold = deal(np.minimum(units, 1), count, draw, units[:, 0])
        return Exchanges(units, fold, count, weights, np.float64).improve(EMPTY)

    return _more_even(counts, count, arranged)


def extend_groups(hot: Array, groups: Array, home: Array, count: int, seed: int) -> Array:
    """The fold of each group, (G,) int64, where some have theirs already and keep it.

    home: (G,) the fold of each group, or a negative number for those without one. The rest as for
    `stratify_groups`.
    """
    loose = home < 0
    if not loose.any():
        return home.copy()

    def arranged(units: Array, weights: Array) -> Array:
        there = np.stack([units[home == number].sum(axis=0) for number in range(count)])
        fold = place(units[loose], weights, there, np.random.default_rng(seed))
        out = home.copy()
        out[loose] = Exchanges(units[loose], fold, count, weights, np.float64, there).improve(EMPTY)
        return out

    return _more_even(unit_counts(hot, groups), count, arranged)


def _more_even(counts: Array, count: int, arranged: Callable[[Array, Array], Array]) -> Array:
    """The better of two divisions of units: with the number of groups of each rare label as an aim
    too, and without. Fewest labels that a fold lacks come first, then how even images and labels
    are, then these groups.

    counts: (U, 1 + C) see `unit_counts`.
    """
    units, weights = _weighed(counts, count)
    own = counts.shape[1]

    def judged(fold: Array) -> tuple[int, int, int]:
        held = units.T @ np.asarray(fold[:, None] == np.arange(count), dtype=np.int64)
        away = (count * held - held.sum(axis=1, keepdims=True)).astype(object)  # never too large
        squares = (away * away).sum(axis=1) * weights
        return int((held[1:own] == 0).sum()), int(squares[:own].sum()), int(squares[own:].sum())

    found = [arranged(units, weights)]
    if units.shape[1] > own:
        found.append(arranged(counts, weights[:own]))
    return min(found, key=judged)


def _weighed(units: Array, count: int) -> tuple[Array, Array]:
    """(U, C) the counts of each unit, and whether it has each rare label; (C,) the weights."""
    totals = np.maximum(units.sum(axis=0), 1)
    seen = (units[:, 1:] > 0).astype(np.int64)
    seen = seen[:, seen.sum(axis=0) <= 10 * count]
    holders = np.maximum(seen.sum(axis=0), 1)
    weights = np.clip(totals[0] // np.concatenate([totals, holders]), 1, _HEAVIEST)
    return np.hstack([units, seen]), weights


def unit_counts(hot: Array, groups: Array) -> Array:
    """(G, 1 + C): how many images each group has, and how many of each label."""
    units = np.zeros((int(groups.max()) + 1, 1 + hot.shape[1]), dtype=np.int64)
    np.add.at(units, groups, np.hstack([np.ones((len(hot), 1), dtype=np.int64), hot]))
    return units
