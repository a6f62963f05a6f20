"""Another balance in the test set: known, estimated, and counted in scores and rules."""

from __future__ import annotations

import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.ensemble.prior import Shift, Shifted, estimate_prior, make_shift
from comp.ensemble.rules.thresholds import tune
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTICLASS = TASKS["binary"], TASKS["multiclass"]


def calibrated(rows: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the exact probabilities of a model that was trained at a share of 0.1."""
    draw = np.random.default_rng(seed)
    target = (draw.random(rows) < share).astype(np.int64)
    score = draw.normal(1.5 * target, 1)
    odds = 0.1 / 0.9 * np.exp(1.5 * score - 1.125)
    return target, (odds / (1 + odds))[:, None]


def test_the_balance_of_the_test_set_is_estimated() -> None:
    _, probs = calibrated(4000, 0.4)
    assert probs.mean() < 0.3
    found = estimate_prior(np.concatenate([1 - probs, probs], axis=1), np.array([0.9, 0.1]))
    assert found.tolist() == pytest.approx([0.6, 0.4], abs=0.03)


@pytest.mark.parametrize("kind", ["overconfident", "shy of a class"])
def test_probabilities_are_calibrated_before_the_balance_is_estimated(kind: str) -> None:
    """A network's confidence is its own: without this, classes that are there are left empty."""

    def confident(probs: np.ndarray) -> np.ndarray:
        odds = (probs / (1 - probs)) ** (4 if kind == "overconfident" else 1)
        odds = odds * (0.05 if kind == "shy of a class" else 1)
        return np.asarray(odds / (1 + odds))

    seen, probs = calibrated(20000, 0.1, seed=1)
    _, test = calibrated(20000, 0.4, seed=2)
    given = (confident(probs), seen)
    found = make_shift("auto", BINARY, ("a", "b"), seen, confident(test), given)
    assert found.after.tolist() == pytest.approx([0.6, 0.4], abs=0.05)
    blind = make_shift("auto", BINARY, ("a", "b"), seen, confident(test))
    assert abs(blind.after[1] - 0.4) > 0.1


def test_adjusted_probabilities_are_calibrated_at_the_new_balance() -> None:
    target, probs = calibrated(20000, 0.4)
    shift = Shift(np.array([0.9, 0.1]), np.array([0.6, 0.4]), estimated=False)
    adjusted = shift.adjust(probs)
    assert adjusted.shape == probs.shape
    near = (adjusted > 0.4) & (adjusted < 0.6)
    assert target[near[:, 0]].mean() == pytest.approx(0.5, abs=0.03)
    lazy = Shifted(probs, shift)
    assert lazy[3:7].tolist() == adjusted[3:7].tolist()
    assert lazy[:, slice(0, 1)].tolist() == adjusted.tolist()


def test_a_known_balance_is_taken_by_name() -> None:
    target = np.array([0, 1, 2, 0])
    given = {"c": 0.5, "a": 0.25, "b": 0.25}
    shift = make_shift(given, MULTICLASS, ("a", "b", "c"), target, np.empty((0, 3)))
    assert shift.before.tolist() == [0.5, 0.25, 0.25]
    assert shift.after.tolist() == [0.25, 0.25, 0.5]
    assert shift.class_weights.tolist() == [0.5, 1, 2]


def test_priors_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"names 'a', 'x'; the classes are 'a', 'b'"):
        make_shift({"a": 0.5, "x": 0.5}, BINARY, ("a", "b"), np.array([0, 1]), np.empty((0, 1)))
    with pytest.raises(ConfigError, match=r"'multilabel' can have several classes"):
        make_shift("auto", TASKS["multilabel"], ("a", "b"), np.eye(2, dtype=int), np.ones((1, 2)))


@pytest.mark.parametrize("task", [BINARY, MULTICLASS], ids=lambda task: task.name)
def test_a_rule_for_weighted_classes_is_that_of_repeated_rows(task) -> None:  # type: ignore[no-untyped-def]
    draw = np.random.default_rng(2)
    classes = 2 if task is BINARY else 3
    target = draw.integers(0, classes, 60)
    probs = draw.dirichlet(np.ones(3), 60)[:, : task.columns(classes)]
    weights = np.array([1.0, 3.0, 2.0])[:classes]
    repeated = np.repeat(np.arange(60), weights[target].astype(int))
    metric = METRICS["macro_f1"]
    found = tune(task, metric, target, probs, weights[target])
    expected = tune(task, metric, target[repeated], probs[repeated])
    assert found.tolist() == pytest.approx(expected.tolist())
    labels = task.decide(probs, found)
    whole = metric.score(target[repeated], labels[repeated], classes)
    assert metric.score(target, labels, classes, weights[target]) == pytest.approx(whole)


def test_grades_that_are_numbers_have_no_shares_to_estimate() -> None:
    target, test = np.arange(6) % 3, np.full((2, 3), 1 / 3)
    with pytest.raises(ConfigError, match="model.ordinal: regression predicts a number"):
        make_shift("auto", TASKS["ordinal"], ("0", "1", "2"), target, test)
