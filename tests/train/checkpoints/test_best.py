"""Which epochs are the best, and which checkpoints are kept of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from comp.config.workspace import RunDir
from comp.tasks.metrics import METRICS
from comp.train.checkpoints.best import is_best, keep_top, ties, top_epochs


@pytest.mark.parametrize(
    ("new", "best", "expected"),
    [
        ((0.9, 1.0), (0.8, 0.1), True),
        ((0.8, 0.1), (0.9, 1.0), False),
        ((0.9, 0.1), (0.9, 0.2), True),
        ((0.9, 0.2), (0.9, 0.1), False),
        ((0.9, 0.1), (0.9, 0.1), True),
        ((float("nan"), 0.0), (0.1, 1.0), False),
        ((0.9, 0.1), (0.9, float("nan")), True),
    ],
)
def test_ties_go_to_the_lower_loss_then_to_the_later_epoch(
    new: tuple[float, float], best: tuple[float, float], expected: bool
) -> None:
    rows = [{"macro_f1": score, "valid_loss": loss} for score, loss in (new, best)]
    assert is_best(rows[0], rows[1], METRICS["macro_f1"]) is expected
    assert is_best(rows[0], None, METRICS["macro_f1"]) is (new[0] == new[0])


def test_the_top_follows_the_rule_of_the_best_epoch() -> None:
    scores = [float("nan"), 0.9, 0.9, float("nan"), 0.7, 0.9, 0.5]
    losses = [1.0, 0.3, 0.4, 0.1, 0.2, 0.3, 1.0]
    rows = [
        {"epoch": epoch, "macro_f1": score, "valid_loss": loss}
        for epoch, (score, loss) in enumerate(zip(scores, losses, strict=True))
    ]
    metric = METRICS["macro_f1"]
    assert top_epochs(rows, 9, metric) == [5, 1, 2, 4, 6, 0, 3]
    assert top_epochs(rows, 2, metric) == [5, 1]


def test_only_the_top_is_kept(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for epoch, top in enumerate([[0], [1, 0], [1, 0], [3, 1]]):
        keep_top(run, top, epoch, lambda: {"model": {"w": torch.ones(1)}})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["top_0001.pt", "top_0003.pt"]


def test_ties_are_the_other_epochs_with_the_best_score() -> None:
    rows = [
        {"epoch": n, "macro_f1": score} for n, score in enumerate((0.5, 0.9, 0.9, float("nan")))
    ]
    assert ties(rows, rows[2], METRICS["macro_f1"]) == [1]
    assert ties(rows, None, METRICS["macro_f1"]) == []
