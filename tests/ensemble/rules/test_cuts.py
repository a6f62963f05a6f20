"""Where a rule may cut, and which of equal cuts is taken."""

from __future__ import annotations

import numpy as np
import pytest

from comp.ensemble.rules.cuts import cuts_of, nearest_point, whole_weights, with_outer_edges


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_cut_is_counted_from_none_to_all(dtype: type) -> None:
    target, probs = np.array([0, 1, 1, 0, 1]), np.array([0.25, 0.75, 0.5, 0.5, 1.0], dtype)
    cuts = cuts_of(target, probs)
    assert cuts is not None
    assert cuts.chosen.tolist() == [0, 1, 2, 4, 5]
    assert cuts.tp.tolist() == [0, 1, 2, 3, 3]
    assert cuts.positives == 3
    for chosen, low, high in zip(cuts.chosen, cuts.low, cuts.high, strict=True):
        assert (probs >= high).sum() == chosen
        assert (probs >= np.nextafter(low, 2.0)).sum() == chosen


def test_the_order_of_the_rows_does_not_matter() -> None:
    draw = np.random.default_rng(0)
    target, probs = draw.integers(0, 2, 40), draw.integers(0, 9, 40) / 8
    order = draw.permutation(40)
    one, other = cuts_of(target, probs), cuts_of(target[order], probs[order])
    assert one is not None
    assert other is not None
    for name in ("tp", "chosen", "low", "high"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()


@pytest.mark.parametrize(
    ("target", "probs"), [([0, 0], [0.1, 0.2]), ([0, 1], [0.5, 0.5]), ([], [])]
)
def test_where_there_is_nothing_to_part_there_are_no_cuts(target: list, probs: list) -> None:
    assert cuts_of(np.array(target, dtype=int), np.array(probs, dtype=float)) is None


def test_edges_lie_outside_of_all_probabilities() -> None:
    assert with_outer_edges(np.array([0.75, 0.25])).tolist() == [1.0, 0.75, 0.25, 0.0]
    above, _, _, below = with_outer_edges(np.array([1.0, 0.0]))
    assert above > 1 > 0 > below


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(0.25, 0.75)], 0.5),  # the neutral point itself
        ([(0.5, 1.0)], 0.75),  # open below: the middle
        ([(0.0, 0.5)], 0.5),  # closed above
        ([(0.0, 0.25), (0.625, 0.75)], 0.6875),
        ([(0.75, 1.0), (0.0, 0.25)], 0.875),  # equally far: the first
    ],
)
def test_of_equal_cuts_the_point_nearest_to_the_neutral_one_is_taken(
    intervals: list[tuple[float, float]], expected: float
) -> None:
    low, high = np.array(intervals).T
    assert nearest_point(0.5, low, high) == expected


def test_weights_are_whole_and_in_the_given_ratio() -> None:
    assert whole_weights(None, 4).tolist() == [1, 1, 1, 1]
    found = whole_weights(np.array([1.0, 0.5, 0.0, 1e-9]), 4)
    assert found.dtype == np.int64
    assert found.tolist() == [1 << 20, 1 << 19, 0, 1]
