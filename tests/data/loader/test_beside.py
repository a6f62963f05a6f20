"""Images beside those of the index: where they lie, and how often an epoch shows them."""

import pickle

import numpy as np
import pytest

from comp.core.errors import TrainError
from comp.data.loader.beside import Beside, Guests, Joined, counts, interleave


def images(count: int, first: int) -> np.ndarray:  # type: ignore[type-arg]
    numbers = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (count, 2, 2, 3)).copy()


def test_several_stores_are_read_as_one() -> None:
    joined = Joined([images(3, 0), images(2, 10), images(1, 20)])
    assert (len(joined), joined.shape) == (6, (6, 2, 2, 3))
    assert [int(joined[row][0, 0, 0]) for row in range(6)] == [0, 1, 2, 10, 11, 20]
    assert joined.take(np.array([5, 0, 3, 0]))[:, 0, 0, 0].tolist() == [20, 0, 10, 0]
    again = pickle.loads(pickle.dumps(joined))
    assert again.take(np.arange(6))[:, 1, 1, 2].tolist() == [0, 1, 2, 10, 11, 20]


def test_targets_lie_at_their_rows() -> None:
    part = Beside(images(4, 0), np.array([1, 3]), np.array([5, 7]))
    assert part.spread(part.target).tolist() == [0, 5, 0, 7]


def test_each_batch_has_the_share_and_guests_come_once_before_they_come_again() -> None:
    own, guests = np.arange(90), [Guests(np.arange(100, 130), 0.25), Guests(np.array([200]), None)]
    order = interleave(own, guests, np.random.default_rng(0))
    assert counts(90, guests) == [30, 1]
    assert (order[order < 100] == own).all()
    shown = order[(order >= 100) & (order < 200)]
    assert sorted(shown) == [*range(100, 130)]
    assert (order == 200).sum() == 1
    for start in range(0, len(order) - 12, 12):
        assert ((order[start : start + 12] >= 100).sum() - 3) in (-1, 0, 1)
    twice = interleave(own, [Guests(np.arange(100, 120), 0.25)], np.random.default_rng(0))
    shown = np.bincount(twice[twice >= 100] - 100)  # 30 of 20 images: all once before one again
    assert sorted(shown.tolist()) == [1] * 10 + [2] * 10
    first = twice[twice >= 100][:20]
    assert sorted(first.tolist()) == [*range(100, 120)]


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(TrainError, match=r"sum to 1\.1; they must be below 1"):
        counts(10, [Guests(np.arange(2), 0.5), Guests(np.arange(2), 0.6)])
