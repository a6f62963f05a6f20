"""Bootstrap intervals, and thresholds that are drawn to one half."""

from __future__ import annotations

import math

import numpy as np
import pytest

from comp.core.errors import TuneError
from comp.ensemble.cross_fit import bootstrap, check_folds
from comp.tasks.metrics import METRICS

F1 = METRICS["macro_f1"]


def noise(rows: int = 40, classes: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multilabel targets that have nothing to do with their probabilities."""
    draw = np.random.default_rng(5)
    target = (draw.random((rows, classes)) < 0.3).astype(np.int64)
    return target, draw.random((rows, classes)), np.arange(rows) % 4


def test_the_interval_of_an_accuracy_is_that_of_the_binomial() -> None:
    target = np.zeros(400, int)
    labels = (np.arange(400) % 4 == 0).astype(np.int64)
    low, high = bootstrap(METRICS["accuracy"], target, labels, 2, None, seed=1, rounds=2000)
    width = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert (low, high) == pytest.approx((0.75 - width, 0.75 + width), abs=0.006)


def test_whole_groups_are_drawn() -> None:
    """Two groups, one all right and one all wrong: a draw holds 0, 1 or 2 of the good one."""
    labels, target = np.arange(100) // 50, np.zeros(100, int)
    groups = [f"person {row // 50}" for row in range(100)]
    metric = METRICS["accuracy"]
    assert bootstrap(metric, target, labels, 2, groups, seed=1) == (0.0, 1.0)
    assert bootstrap(metric, target, labels, 2, None, seed=1)[0] > 0.3


def test_the_interval_depends_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    target, probs, _ = noise()
    found = bootstrap(F1, target, (probs > 0.5) * 1, 6, None, seed=1)
    monkeypatch.setattr("comp.ensemble.cross_fit._CELLS", 700)
    assert bootstrap(F1, target, (probs > 0.5) * 1, 6, None, seed=1) == found
    assert bootstrap(F1, target, (probs > 0.5) * 1, 6, None, seed=2) != found


def test_rounds_without_a_score_are_left_out() -> None:
    probs = np.array([[0.9], [0.2], [0.4]])
    auc = METRICS["roc_auc"]
    assert bootstrap(auc, np.array([1, 0, 0]), probs, 2, None, seed=1) == (1.0, 1.0)
    low, high = bootstrap(auc, np.array([0, 0, 0]), probs, 2, None, seed=1)
    assert math.isnan(low)
    assert math.isnan(high)


def test_fewer_than_two_folds_cannot_be_cross_fitted() -> None:
    assert check_folds(np.array([3, 1, 3])).tolist() == [1, 3]
    with pytest.raises(TuneError, match=r"^1 folds to cross-fit .* at least 2"):
        check_folds(np.zeros(4, int))
