"""Formulas of metrics: their values, what they want, which way is up, and what is refused."""

import re

import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS
from comp.tasks.official.formula import formula_metric, is_formula

TARGET = np.array([0, 1, 0, 1, 1, 0])
PROBS = np.array([0.2, 0.7, 0.6, 0.4, 0.9, 0.1])[:, None]
BINARY = TASKS["binary"]


def test_a_sum_has_the_value_of_its_parts() -> None:
    metric = formula_metric("0.5 * macro_f1 + accuracy / 2 - 0.1", BINARY, "higher")
    labels = BINARY.decide(PROBS)
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 3, 1, 1]], dtype=float)
    both = (METRICS["macro_f1"], METRICS["accuracy"])
    parts = [one.weighted(TARGET, labels, 2, weights) for one in both]
    found = metric.weighted(TARGET, labels, 2, weights)
    assert found == pytest.approx(0.5 * parts[0] + 0.5 * parts[1] - 0.1)
    assert (metric.wants, metric.greater_is_better, metric.searched) == ("labels", True, True)


def test_with_a_metric_of_probabilities_it_takes_these() -> None:
    metric = formula_metric("macro_f1 + roc_auc", BINARY, "higher")
    f1 = METRICS["macro_f1"].score(TARGET, BINARY.decide(PROBS), 2)
    auc = METRICS["roc_auc"].score(TARGET, PROBS, 2)
    assert metric.wants == "probs"
    assert metric.score(TARGET, PROBS, 2) == pytest.approx(f1 + auc)


def test_which_way_is_up_follows_from_the_metrics_or_is_asked() -> None:
    assert not formula_metric("log_loss * 2", BINARY, "higher").greater_is_better
    assert formula_metric("1 - log_loss", BINARY, "lower").greater_is_better
    assert formula_metric("roc_auc - log_loss", BINARY, "lower").greater_is_better
    assert not formula_metric("log_loss - roc_auc", BINARY, "higher").greater_is_better
    assert not formula_metric("1 - accuracy", BINARY, "higher").greater_is_better
    assert formula_metric("roc_auc + log_loss", BINARY, "higher").greater_is_better  # as is said
    assert not formula_metric("roc_auc + log_loss", BINARY, "lower").greater_is_better
    assert formula_metric("macro_f0_5 + accuracy", BINARY, "higher").wants == "labels"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("macro_f1 ** 2", "is not allowed; a formula has numbers"),
        ("__import__('os').system('x') + 1", "is not allowed"),
        ("macro_f1 +", "is no formula"),
        ("1 + 2", "a formula of no metric"),
        ("accuracy + 1/0", "has no value (division by zero)"),
        ("accuracy - accuracy", "does not depend on accuracy"),
        ("macro_f1 + acuracy", "Did you mean 'accuracy'"),
        ("macro_f1 + dice", "'dice' is defined for segmentation"),
        ("(lambda: 1)() + accuracy", "is not allowed"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, words: str) -> None:
    assert is_formula(text)
    with pytest.raises(ConfigError, match=re.escape(words)):
        formula_metric(text, BINARY, "higher")


def test_names_of_metrics_are_no_formulas() -> None:
    assert not any(map(is_formula, [*METRICS, "macro_f2", "unknown"]))
