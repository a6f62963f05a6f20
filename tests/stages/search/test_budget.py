"""What a span of time buys."""

from __future__ import annotations

import pytest

from comp.stages.search.budget import (
    Speed,
    epochs_in,
    fold_seconds,
    rounds_in,
    size_for,
)

FAST = Speed(train=100.0, valid=400.0, start=2.0)
ROWS = (800, 200)  # an epoch takes 8 + 0.5 s


def test_the_epochs_of_a_fold_fill_its_time_and_no_more() -> None:
    assert epochs_in(120, FAST, ROWS) == 12  # 120 / 1.15 - 2 = 102.3 s
    for seconds in (30, 61, 500):
        epochs = epochs_in(seconds, FAST, ROWS)
        assert fold_seconds(epochs, FAST, ROWS) <= seconds
        assert fold_seconds(epochs + 1, FAST, ROWS) > seconds


def test_a_fold_has_an_epoch_at_least() -> None:
    assert epochs_in(0.1, FAST, ROWS) == 1


def test_the_last_round_is_a_whole_fold_and_the_first_a_ninth_of_its_time() -> None:
    first, second, last = rounds_in(900, FAST, ROWS)
    assert (last.share, last.epochs) == (1.0, epochs_in(900, FAST, ROWS))
    for part, found in ((1 / 9, first), (1 / 3, second)):
        assert found.share == pytest.approx(part**0.5)
        work = found.share * found.epochs / last.epochs
        assert work == pytest.approx(part, rel=0.1)


def test_a_short_round_takes_fewer_rows_before_it_takes_a_single_epoch() -> None:
    whole = fold_seconds(6, FAST, ROWS)
    first = rounds_in(whole, FAST, ROWS)[0]
    assert first.epochs == 2
    assert first.share < (1 / 9) ** 0.5


def test_the_image_is_the_largest_that_leaves_enough_epochs() -> None:
    sizes = (64, 128, 256)
    for wanted, size in ((12, 256), (13, 128), (48, 128), (60, 64), (10_000, 64)):
        assert size_for(sizes, 120, FAST, ROWS, wanted) == size
