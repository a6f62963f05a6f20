"""Where exchanges start from."""

import numpy as np
import pytest

from comp.data.folds.starts import deal, even_sizes, iterative, place


def hot(rows: int, classes: int, share: float) -> np.ndarray:
    return (np.random.default_rng(0).random((rows, classes)) < share).astype(np.int64)


def test_rows_of_equal_labels_are_dealt_to_different_folds() -> None:
    labels = np.repeat(np.eye(3, dtype=np.int64), 4, axis=0)
    fold = deal(labels, 4, np.random.default_rng(1))
    assert [sorted(fold[start : start + 4].tolist()) for start in (0, 4, 8)] == [[0, 1, 2, 3]] * 3


def test_the_heaviest_unit_goes_where_least_is() -> None:
    units, weights = np.array([[5], [3], [2]]), np.ones(1, dtype=np.int64)
    fold = place(units, weights, np.array([[0], [9]]), np.random.default_rng(0))
    assert fold.tolist() == [0, 0, 0]


@pytest.mark.parametrize("classes", [1, 7])
def test_iterative_stratification_evens_the_labels_of_one_column_and_of_several(classes) -> None:
    labels = hot(500, classes, 0.2)
    fold = iterative(labels, 5, 2**40 + 3)
    counts = np.stack([labels[fold == k].sum(axis=0) for k in range(5)])
    assert set(fold.tolist()) == {0, 1, 2, 3, 4}
    assert np.ptp(counts, axis=0).max() <= 8
    assert fold.tolist() == iterative(labels, 5, 2**40 + 3).tolist()
    assert fold.tolist() != iterative(labels, 5, 4).tolist()


def test_sizes_are_evened_by_moves_out_of_large_folds_alone() -> None:
    fold = np.array([0] * 9 + [1] * 1 + [2] * 4)
    even = even_sizes(fold, 3, np.random.default_rng(0))
    assert np.bincount(even).tolist() == [5, 4, 5]
    assert (even[9:] == fold[9:]).all()
