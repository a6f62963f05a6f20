"""Cut points of grades: no others score higher."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from comp.ensemble.rules.thresholds import tune
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

ORDINAL = TASKS["ordinal"]


def world(seed: int, rows: int, grades: int, *, coarse: bool = False) -> tuple[Any, Any]:
    """Grades and what a network says that squeezes them to the middle."""
    draw = np.random.default_rng(seed)
    target = np.concatenate([[0, 1], draw.integers(0, grades, rows - 2)])
    seen = 0.7 * target + 0.3 + draw.normal(0, 0.5, rows)
    seen = np.round(2 * seen) / 2 if coarse else seen
    steps = torch.tensor(seen).float()[:, None] - torch.arange(grades - 1)
    return target, ORDINAL.link.probs(steps).numpy()


def signed(name: str, target: Any, probs: Any, rule: Any) -> float:
    metric = METRICS[name]
    found = metric.score(target, ORDINAL.decide(probs, rule), probs.shape[1])
    return found if metric.greater_is_better else -found


@pytest.mark.parametrize("name", ["qwk", "kappa", "accuracy", "grade_mae"])
def test_no_cut_points_score_higher(name: str) -> None:
    for seed in range(12):
        target, probs = world(seed, 12, 3, coarse=seed % 2 > 0)
        places = [-1.0, *(np.unique(probs @ np.arange(3)) - 1e-5), 4.0]
        pairs = itertools.combinations_with_replacement(places, 2)
        best = max(signed(name, target, probs, np.array([-0.5, *pair])) for pair in pairs)
        rule = tune(ORDINAL, METRICS[name], target, probs)
        assert signed(name, target, probs, rule) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("name", ["macro_f1", "mcc"])
def test_other_scores_climb_from_the_neutral_rule(name: str) -> None:
    for seed in range(4):
        target, probs = world(seed, 80, 4)
        rule = tune(ORDINAL, METRICS[name], target, probs)
        neutral = ORDINAL.link.neutral(4)
        gain = signed(name, target, probs, rule) - signed(name, target, probs, neutral)
        assert gain > 0.03


def test_cut_points_rise_and_stay_halfway_where_nothing_is_gained() -> None:
    target, probs = np.array([0, 1, 2, 3, 0]), np.eye(4)[[0, 1, 2, 3, 0]]
    assert tune(ORDINAL, METRICS["qwk"], target, probs).tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert tune(ORDINAL, METRICS["qwk"], np.zeros(5, int), probs).tolist() == [-0.5, 0.5, 1.5, 2.5]
    flat = np.full((5, 4), 0.25)
    rule = tune(ORDINAL, METRICS["accuracy"], target, flat)
    assert (np.diff(rule) >= 0).all()
    assert ORDINAL.decide(flat, rule).tolist() == [0] * 5


def test_weights_of_grades_are_rows_that_occur_more_often() -> None:
    target, probs = world(3, 60, 3)
    times = np.array([1, 4, 2])
    rows = np.repeat(np.arange(60), times[target])
    weighed = tune(ORDINAL, METRICS["qwk"], target, probs, times[target].astype(float))
    repeated = tune(ORDINAL, METRICS["qwk"], target[rows], probs[rows])
    assert weighed == pytest.approx(repeated)
    answers = ORDINAL.decide(probs[rows], weighed)
    tuned = cohen_kappa_score(target[rows], answers, weights="quadratic")
    assert tuned > cohen_kappa_score(target[rows], ORDINAL.decide(probs[rows]), weights="quadratic")
