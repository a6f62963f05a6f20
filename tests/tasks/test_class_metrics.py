from functools import partial

import numpy as np
import pytest
from sklearn import metrics as judges

from comp.tasks.class_metrics import CLASS_METRICS, map_at
from comp.tasks.metrics import METRICS

CLASSES = 6


def draws(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes (80,) each there, labels that are half right, and probabilities."""
    draw = np.random.default_rng(seed)
    target = draw.permutation(np.arange(80) % CLASSES)
    probs = draw.random((80, CLASSES)) + 0.4 * np.eye(CLASSES)[target]
    probs = (probs / probs.sum(axis=1, keepdims=True)).round(2)  # with ties
    labels = np.where(draw.random(80) < 0.5, target, draw.integers(0, CLASSES, 80))
    return target, labels, probs


OF_CLASSES = {
    "balanced_accuracy": judges.balanced_accuracy_score,
    "macro_f2": partial(judges.fbeta_score, beta=2, average="macro"),
    "macro_f0.5": partial(judges.fbeta_score, beta=0.5, average="macro"),
    "mcc": judges.matthews_corrcoef,
    "kappa": judges.cohen_kappa_score,
    "qwk": partial(judges.cohen_kappa_score, weights="quadratic"),
}


@pytest.mark.parametrize("name", OF_CLASSES)
def test_metrics_of_labels_are_those_of_scikit_learn(name: str) -> None:
    for seed in range(4):
        target, labels, _ = draws(seed)
        found = METRICS[name].score(target, labels, CLASSES)
        assert found == pytest.approx(OF_CLASSES[name](target, labels))
    two = (target > 2).astype(int), (labels > 2).astype(int)
    assert METRICS[name].score(*two, 2) == pytest.approx(OF_CLASSES[name](*two))


def test_metrics_of_probabilities_are_those_of_scikit_learn() -> None:
    for seed in range(4):
        target, _, probs = draws(seed)
        hot = np.eye(CLASSES, dtype=int)[target]
        expected = judges.average_precision_score(hot, probs, average="macro")
        assert METRICS["average_precision"].score(target, probs, CLASSES) == pytest.approx(expected)
        assert METRICS["average_precision"].score(hot, probs, CLASSES) == pytest.approx(expected)
        one, column = hot[:, 0], probs[:, :1]
        brier = judges.brier_score_loss(one, column[:, 0])
        assert METRICS["brier_score"].score(one, column, 2) == pytest.approx(brier)
        whole = ((probs - hot) ** 2).sum(axis=1).mean()
        assert METRICS["brier_score"].score(target, probs, CLASSES) == pytest.approx(whole)
        apart = probs + 1e-6 * np.arange(CLASSES)  # without ties
        top = judges.top_k_accuracy_score(target, apart, k=3)
        assert METRICS["top3_accuracy"].score(target, apart, CLASSES) == pytest.approx(top)
        ranking = judges.label_ranking_average_precision_score(hot, apart)  # without an end
        assert map_at(CLASSES)(target, apart, CLASSES, np.ones((1, 80)))[0] == pytest.approx(
            ranking
        )


def test_classes_that_tie_share_the_places() -> None:
    probs = np.full((1, 4), 0.25)
    assert METRICS["top3_accuracy"].score(np.array([2]), probs, 4) == 0.75
    assert METRICS["top5_accuracy"].score(np.array([2]), probs, 4) == 1.0
    thirds = (1 + 1 / 2 + 1 / 3) / 4
    assert METRICS["map_at_3"].score(np.array([2]), probs, 4) == pytest.approx(thirds)
    ranked = np.array([[0.1, 0.2, 0.3, 0.4]])
    for target, score in [(3, 1.0), (2, 1 / 2), (1, 1 / 3), (0, 0.0)]:
        assert METRICS["map_at_3"].score(np.array([target]), ranked, 4) == pytest.approx(score)
    assert METRICS["map_at_5"].score(np.array([0]), ranked, 4) == pytest.approx(1 / 4)


@pytest.mark.parametrize("name", CLASS_METRICS)
def test_a_metric_is_nan_and_no_error_where_no_row_has_weight(name: str) -> None:
    target, labels, probs = draws(0)
    answer = probs if METRICS[name].wants == "probs" else labels
    assert np.isnan(METRICS[name].weighted(target, answer, CLASSES, np.zeros((1, 80)))[0])
