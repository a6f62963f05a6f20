"""A fold in training as numbers: its share, the time that is left, words about all."""

from __future__ import annotations

import math

import pytest
from live_toys import fold, run, waits

from comp.report.live.rows import (
    LiveFold,
    about,
    seconds_left,
    size,
    spark,
    with_beat,
    with_history,
)
from comp.train.live.beat import Beat


def test_the_share_counts_epochs_and_steps() -> None:
    assert fold().share == (2 + 0.5) / 4
    assert fold(state="done", epochs=2).share == 1.0  # patience ended it
    assert waits(0).share == 0.0
    assert LiveFold("fold 0").share == 0.0
    assert fold(epochs=4).share == 1.0


def test_a_history_gives_curves_and_the_best_epoch() -> None:
    rows = [
        {"lr": 0.1, "macro_f1": 0.5, "best": 1.0},
        {"lr": 0.2, "macro_f1": 0.7, "best": 1.0},
        {"lr": 0.3, "macro_f1": math.nan, "best": 0.0},
    ]
    found = with_history(LiveFold("fold 0", of=5), rows, "macro_f1")
    assert (found.epochs, found.best, found.best_epoch, found.lr) == (3, 0.7, 2, 0.3)
    assert set(found.history) == {"lr", "macro_f1"}
    assert found.last("macro_f1") == 0.7
    assert found.last("none") is None
    assert with_history(LiveFold("fold 0"), [], "macro_f1") == LiveFold("fold 0")


def test_a_fold_without_a_score_has_no_best() -> None:
    rows = [{"macro_f1": math.nan, "best": 1.0}]
    assert with_history(LiveFold("refit 0"), rows, "macro_f1").best is None
    assert with_history(LiveFold("refit 0"), [{"lr": 1.0, "best": 1.0}], "macro_f1").best is None


def test_a_beat_of_the_epoch_at_work_counts_and_an_older_one_does_not() -> None:
    beat = Beat("fold 0", "training", 3, 4, 5, 10, loss=0.3, speed=50.0, left=9.0)
    found = with_beat(fold(epochs=2, step=0, loss=None), beat)
    assert (found.step, found.steps, found.loss, found.speed, found.left) == (5, 10, 0.3, 50.0, 9.0)
    behind = with_beat(fold(epochs=3, step=0, loss=None), beat)
    assert (behind.step, behind.loss) == (0, None)


def test_folds_that_wait_begin_when_one_at_work_ends() -> None:
    # 90 s and 30 s at work; two wait with 240 s each: the first begins at 30, the second at 90
    folds = [fold(0), fold(1, left=30.0), waits(2), waits(3)]
    assert seconds_left(folds) == 330.0
    assert seconds_left([waits(0), waits(1)]) is None
    assert seconds_left([fold(0, "done", 4), waits(1)]) == 240.0
    assert seconds_left([fold(0, "done", 4)]) == 0.0
    assert seconds_left([fold(0, "stopped", 2, step=0)]) == 120.0


def test_words_say_how_many_are_done_and_what_is_left() -> None:
    folds = [fold(0, "done", 4), fold(1), waits(2)]
    assert about(run(*folds)) == "1 of 3 done, 1 at work, about 6 min left, memory 2.0 GB"
    device = fold(1, device_memory=5_300_000_000, device_total=80_000_000_000)
    assert about(run(device)).endswith("memory 2.0 GB, device 5.3 GB of 80.0 GB")
    stopped = about(run(fold(0, "stopped", 2, step=0)))
    assert stopped == "0 of 1 done, nobody at work, about 2 min left"
    assert about(run(fold(0, "done", 4))) == "1 of 1 done"


@pytest.mark.parametrize(
    ("values", "line"),
    [([1.0], ""), ([], ""), ([0.0, 7.0], "▁█"), ([2.0, 2.0], "▁▁"), ([0.0, math.nan, 7.0], "▁█")],
)
def test_a_line_of_blocks(values: list[float], line: str) -> None:
    assert spark(values) == line


def test_of_many_values_the_newest_are_drawn() -> None:
    assert len(spark([float(n) for n in range(100)], 16)) == 16


def test_bytes_are_told_in_mb_and_gb() -> None:
    assert (size(5e6), size(1.26e9)) == ("5 MB", "1.3 GB")
