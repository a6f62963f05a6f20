"""Folds in training, as numbers: what the tests of pictures share."""

from __future__ import annotations

from typing import Any

from comp.report.live.rows import LiveFold, LiveRun


def fold(number: int = 0, state: str = "training", epochs: int = 2, **over: Any) -> LiveFold:
    """A fold of 4 epochs, some of them finished."""
    scores = [0.5, 0.7, 0.6, 0.9][:epochs]
    history = {
        "lr": [0.01] * epochs,
        "train_loss": [1.0, 0.8, 0.6, 0.5][:epochs],
        "valid_loss": [1.1, 0.9, 0.8, 0.7][:epochs],
        "macro_f1": scores,
    }
    plain: dict[str, Any] = {
        "name": f"fold {number}", "state": state, "epochs": epochs, "of": 4, "step": 5,
        "steps": 10, "history": history, "best": max(scores, default=None),
        "best_epoch": scores.index(max(scores)) + 1 if scores else None, "loss": 0.55,
        "speed": 1234.4, "epoch_seconds": 60.0, "left": 90.0, "memory": 2 * 10**9,
        "held": "process 7 on here",
    }  # fmt: skip
    return LiveFold(**{**plain, **over})


def waits(number: int) -> LiveFold:
    """A fold that nobody began."""
    return LiveFold(f"fold {number}", of=4)


def run(*folds: LiveFold, name: str = "signs", **over: Any) -> LiveRun:
    """A run of these folds."""
    return LiveRun(name, "macro_f1", folds, **over)
