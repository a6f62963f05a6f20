"""Exchanges bring folds closer, and do so in the same way everywhere."""

import numpy as np

from comp.data.folds.exchanges import EMPTY, Exchanges, _lowest


def test_equal_scores_are_taken_in_order() -> None:
    score = np.array([3, 1, 2, 1, 2, 2])
    assert _lowest(score, 3).tolist() == [1, 2, 3]
    assert _lowest(score, 9).tolist() == [0, 1, 2, 3, 4, 5]


def test_exchanges_keep_the_sizes_and_moves_even_them_out() -> None:
    draw = np.random.default_rng(0)
    hot = (draw.random((300, 4)) < 0.3).astype(np.int64)
    fold = np.sort(draw.integers(0, 3, 300))
    fold[:60] = 0
    weights = np.ones(4, dtype=np.int64)
    swapped = Exchanges(hot, fold, 3, weights, np.float64).improve(0)
    assert np.bincount(swapped).tolist() == np.bincount(fold).tolist()
    sized = np.hstack([np.ones((300, 1), dtype=np.int64), hot])
    moved = Exchanges(sized, fold, 3, np.ones(5, dtype=np.int64), np.float64).improve(EMPTY)
    assert np.ptp([sized[moved == k].sum(axis=0) for k in range(3)], axis=0).max() <= 1


def test_what_the_folds_hold_besides_counts() -> None:
    units = np.ones((6, 1), dtype=np.int64)
    there = np.array([[4], [0]])
    fold = np.array([0, 0, 0, 1, 1, 1])
    weights = np.ones(1, dtype=np.int64)
    made = Exchanges(units, fold, 2, weights, np.float64, there).improve(EMPTY)
    assert np.bincount(made, minlength=2).tolist() == [1, 5]
