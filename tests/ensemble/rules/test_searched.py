"""A rule that is found by its score alone: never worse than the neutral one."""

import numpy as np
import pytest

from comp.core.errors import MetricError
from comp.ensemble.rules.searched import search_offsets, search_thresholds
from comp.ensemble.rules.thresholds import tune
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS
from comp.tasks.official.formula import formula_metric


def test_thresholds_reach_what_the_exact_search_finds() -> None:
    draw, task = np.random.default_rng(0), TASKS["binary"]
    target = (draw.random(400) < 0.15).astype(int)
    probs = np.clip(0.1 + 0.2 * target + 0.1 * draw.standard_normal(400), 0, 1)[:, None]
    formula = formula_metric("1.0 * macro_f1", task, "higher")
    exact = tune(task, METRICS["macro_f1"], target, probs)
    found = tune(task, formula, target, probs)
    scores = [METRICS["macro_f1"].score(target, task.decide(probs, r), 2) for r in (exact, found)]
    neutral = METRICS["macro_f1"].score(target, task.decide(probs), 2)
    assert scores[1] > neutral + 0.1
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_offsets_lift_a_class_that_is_never_answered() -> None:
    task = TASKS["multiclass"]
    target = np.array([0, 1, 2] * 20)
    probs = np.tile([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.5, 0.1, 0.4]], (20, 1))
    formula = formula_metric("0.5*accuracy + 0.5*macro_f1", task, "higher")
    rule = tune(task, formula, target, probs)
    assert formula.score(target, task.decide(probs, rule), 3) == 1.0


def test_nothing_to_gain_leaves_the_neutral_rule_and_nan_is_no_gain() -> None:
    neutral = np.zeros(2)
    assert search_offsets(lambda rule: 1.0, 2, neutral).tolist() == [0, 0]
    halves = np.array([0.5])
    probs = np.linspace(0, 1, 9)[:, None]
    assert search_thresholds(lambda rule: float("nan"), probs, halves).tolist() == [0.5]


def test_answers_that_a_file_refuses_are_passed_over() -> None:
    def score(rule: np.ndarray) -> float:  # type: ignore[type-arg]
        if rule[0] > 0.45:
            raise MetricError("too few positives")
        return float(rule[0])

    found = search_thresholds(score, np.linspace(0, 1, 99)[:, None], np.array([0.1]))
    assert 0.4 < found[0] <= 0.45
