"""Samplers: which rows an epoch shows, and how often."""

from collections import Counter

import numpy as np
import pytest

from comp.core.rng import generator
from comp.data.loader.sampler import SAMPLERS, EpochOrder

RARE = np.repeat([0, 1, 2], [40, 10, 3])


def drawn(name: str, target: np.ndarray, strength: float = 1.0, epoch: int = 0) -> np.ndarray:
    return SAMPLERS[name](target, strength, generator(1, "order", 0, epoch))


def shown(name: str, strength: float = 1.0, epoch: int = 0) -> list[int]:
    return np.bincount(RARE[drawn(name, RARE, strength, epoch)]).tolist()


def test_shuffle_shows_each_row_once() -> None:
    assert sorted(drawn("shuffle", RARE)) == list(range(53))


def test_balanced_shows_every_class_as_often_as_the_commonest() -> None:
    assert shown("balanced") == [40, 40, 40]
    times = Counter(drawn("balanced", RARE).tolist())
    assert {times[row] for row in range(40)} == {1}
    assert {times[row] for row in range(40, 50)} == {4}
    assert {times[row] for row in range(50, 53)} <= {13, 14}


def test_half_the_strength_balances_by_half() -> None:
    assert shown("balanced", 0.5) == [40, 20, 11]  # 3 * sqrt(40 / 3) = 10.95
    assert shown("undersample", 0.5) == [11, 5, 3]  # 40 / 3.65 = 10.95, 10 / 1.83 = 5.5


def test_undersample_shows_as_many_of_each_class_as_of_the_rarest() -> None:
    assert shown("undersample") == [3, 3, 3]
    assert max(Counter(drawn("undersample", RARE).tolist()).values()) == 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_epoch_draws_anew_and_is_as_long(name: str) -> None:
    epochs = [drawn(name, RARE, 0.7, epoch) for epoch in range(4)]
    assert len({len(order) for order in epochs}) == 1
    assert len({tuple(order.tolist()) for order in epochs}) == 4
    again = drawn(name, RARE, 0.7, 2)
    np.testing.assert_array_equal(again, epochs[2])


def test_undersampling_reaches_every_row_in_time() -> None:
    seen = {row for epoch in range(200) for row in drawn("undersample", RARE, 1.0, epoch).tolist()}
    assert seen == set(range(53))


def test_a_row_with_several_labels_is_shown_as_its_rarest_one() -> None:
    target = np.zeros((12, 2), dtype=np.int64)
    target[:8, 0] = 1
    target[7:9, 1] = 1  # two of the second label, one together with the first; three rows of none
    times = Counter(drawn("balanced", target).tolist())
    assert [times[row] for row in range(7)] == [1] * 7
    assert [times[row] for row in (7, 8)] == [4, 4]
    assert sorted(times[row] for row in (9, 10, 11)) == [2, 3, 3]
    few = Counter(drawn("undersample", target).tolist())
    assert (few[7], few[8]) == (1, 1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_class_alone_is_shown_whole(name: str) -> None:
    assert sorted(drawn(name, np.zeros(5, dtype=np.int64))) == list(range(5))


def test_a_part_of_each_batch_keeps_the_places_of_the_whole() -> None:
    rows = np.arange(100, 111)
    given = (rows, np.zeros(111, np.int64), 1, 0, 4, "shuffle", 1.0)
    asked: list[tuple[int, int, int]] = []

    def second_half(epoch: int, step: int, count: int) -> list[int]:
        asked.append((epoch, step, count))
        return list(range(count // 2, count))

    whole, part = EpochOrder(*given), EpochOrder(*given, part=second_half)
    batches = [*whole.keys(2, 1)]
    assert [*part.keys(2, 1)] == [keys[len(keys) // 2 :] for keys in batches]
    assert asked == [(2, 1, 4), (2, 2, 3)]
    assert [part.size(step) for step in range(len(part))] == [4, 4, 3]
