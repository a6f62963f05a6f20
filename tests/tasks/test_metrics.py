"""The metrics, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from comp.core.errors import CompError, ConfigError, pick
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS, Metric, check_metric

NAN = float("nan")

TABLE_METRICS = [m for m in METRICS.values() if {"class", "columns"} & {*m.of}]


def draws(seed: int, classes: int = 4, rows: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A target, labels and rows of probabilities; at this size classes are often absent."""
    draw = np.random.default_rng(seed)
    probs = draw.dirichlet(np.ones(classes), rows).astype(np.float32)
    return draw.integers(classes, size=rows), draw.integers(classes, size=rows), probs


@pytest.mark.parametrize("rows", [3, 30])
@pytest.mark.parametrize("classes", [2, 4])
def test_macro_f1_of_classes_is_that_of_scikit_learn(classes: int, rows: int) -> None:
    for seed in range(20):
        target, labels, _ = draws(seed, classes, rows)
        expected = f1_score(
            target, labels, labels=range(classes), average="macro", zero_division=np.nan
        )
        assert METRICS["macro_f1"].score(target, labels, classes) == pytest.approx(expected)


def test_macro_f1_of_columns_is_that_of_scikit_learn() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        target, labels = (draw.random((2, 12, 5)) < 0.15).astype(np.int64)
        expected = f1_score(target, labels, average="macro", zero_division=np.nan)
        assert METRICS["macro_f1"].score(target, labels, 5) == pytest.approx(expected)


def test_a_class_that_occurs_nowhere_does_not_count_in_macro_f1() -> None:
    metric = METRICS["macro_f1"]
    assert metric.score(np.array([0, 0, 1]), np.array([0, 0, 1]), 3) == 1.0
    assert metric.score(np.array([[1, 0], [1, 0]]), np.array([[1, 0], [1, 0]]), 2) == 1.0
    assert math.isnan(metric.score(np.zeros((3, 2), int), np.zeros((3, 2), int), 2))


def test_accuracies_count_images_and_cells() -> None:
    target, labels = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[1, 0], [1, 0], [0, 0]])
    assert METRICS["accuracy"].score(target, labels, 2) == pytest.approx(2 / 3)
    assert METRICS["label_accuracy"].score(target, labels, 2) == pytest.approx(5 / 6)
    assert METRICS["accuracy"].score(target[:, 0], labels[:, 1], 2) == pytest.approx(1 / 3)


def test_log_loss_is_that_of_scikit_learn() -> None:
    metric = METRICS["log_loss"]
    target, _, probs = draws(0)
    wide = probs.astype(np.float64)
    wide /= wide.sum(axis=1, keepdims=True)
    assert metric.score(target, wide, 4) == pytest.approx(log_loss(target, wide, labels=range(4)))
    yes = target > 1
    assert metric.score(yes * 1, wide[:, :1], 2) == pytest.approx(log_loss(yes, wide[:, 0]))
    columns = np.stack([yes, ~yes], axis=1) * 1
    expected = (log_loss(yes, wide[:, 0]) + log_loss(~yes, wide[:, 1])) / 2
    assert metric.score(columns, wide[:, :2], 2) == pytest.approx(expected)


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    score = METRICS["log_loss"].score(np.array([1]), np.zeros((1, 1), np.float32), 2)
    assert score == pytest.approx(-math.log(1e-15))


def test_roc_auc_is_that_of_scikit_learn_with_ties_too() -> None:
    metric = METRICS["roc_auc"]
    for seed in range(10):
        target, _, probs = draws(seed, rows=40)
        tied = probs.round(1)
        yes = (target > 1) * 1
        assert metric.score(yes, tied[:, :1], 2) == pytest.approx(roc_auc_score(yes, tied[:, 0]))
        exact = probs / probs.sum(axis=1, keepdims=True, dtype=np.float64)
        expected = roc_auc_score(target, exact, multi_class="ovr", labels=range(4))
        assert metric.score(target, exact, 4) == pytest.approx(expected)
        columns = np.eye(4, dtype=np.int64)[target]
        assert metric.score(columns, tied, 4) == pytest.approx(roc_auc_score(columns, tied))


def test_roc_auc_skips_columns_with_one_class() -> None:
    metric = METRICS["roc_auc"]
    target = np.array([[1, 0], [0, 0]])
    assert metric.score(target, np.array([[0.9, 0.1], [0.2, 0.3]]), 2) == 1.0
    assert math.isnan(metric.score(target[:, 1], np.array([[0.9], [0.2]]), 2))


@pytest.mark.parametrize("metric", TABLE_METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("columns", [False, True])
def test_weights_are_the_same_as_repeated_rows(metric: Metric, columns: bool) -> None:
    target, labels, probs = draws(1, rows=25)
    if columns and "columns" not in metric.of:
        return
    if columns:
        target, labels = np.eye(4, dtype=np.int64)[target], np.eye(4, dtype=np.int64)[labels]
    elif metric.of == ("columns",):
        return
    answer = probs if metric.wants == "probs" else labels
    times = np.random.default_rng(2).integers(0, 4, size=(3, 25))
    found = metric.weighted(target, answer, 4, times.astype(float))
    rows = [np.repeat(np.arange(25), row) for row in times]
    expected = [metric.score(target[row], answer[row], 4) for row in rows]
    assert found.tolist() == pytest.approx(expected)


def test_no_number_is_beaten_by_nan_and_every_number_beats_it() -> None:
    up, down = METRICS["macro_f1"], METRICS["log_loss"]
    assert up.better(0.6, 0.5)
    assert not up.better(0.5, 0.5)
    assert down.better(0.5, 0.6)
    assert not down.better(0.6, 0.5)
    assert up.better(0.0, NAN)
    assert down.better(9.0, NAN)
    assert not up.better(NAN, 0.0)
    assert not down.better(NAN, NAN)


def test_target_and_labels_of_different_shapes_are_refused() -> None:
    with pytest.raises(CompError, match=r"shape \(3,\) for labels of shape \(3, 1\)"):
        METRICS["macro_f1"].score(np.zeros(3, int), np.zeros((3, 1), int), 2)


def test_an_unknown_metric_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown metric 'macro_f3'.*Did you mean 'macro_f"):
        pick(METRICS, "macro_f3", "metric")


def test_a_metric_of_another_task_is_refused_with_those_that_fit() -> None:
    check_metric(METRICS["label_accuracy"], TASKS["multilabel"])
    with pytest.raises(ConfigError, match=r"'label_accuracy'.*not for binary.*macro_f1, accuracy"):
        check_metric(METRICS["label_accuracy"], TASKS["binary"])


def test_micro_and_sample_f1_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    draw = np.random.default_rng(3)
    target, labels = ((draw.random((30, 4)) < share).astype(np.int64) for share in (0.3, 0.4))
    target[0] = labels[0] = 0
    for name, kind in (("micro_f1", "micro"), ("sample_f1", "samples")):
        expected = f1_score(target, labels, average=kind, zero_division=1)
        assert METRICS[name].score(target, labels, 4) == pytest.approx(expected)
    ones, others = target.argmax(axis=1), labels.argmax(axis=1)
    accuracy = METRICS["accuracy"].score(ones, others, 4)
    assert METRICS["micro_f1"].score(ones, others, 4) == accuracy


def unsaid(seed: int, rows: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A target with unknown cells, among them a row and nearly a column, labels, probabilities."""
    draw = np.random.default_rng(seed)
    target = (draw.random((rows, 4)) < 0.4).astype(np.int64)
    target[draw.random((rows, 4)) < 0.3] = -1
    target[3], target[5:, 2] = -1, -1
    return target, draw.integers(2, size=(rows, 4)), draw.random((rows, 4)).astype(np.float32)


JUDGED = {
    "macro_f1": lambda t, s, w: f1_score(t, s, zero_division=np.nan, sample_weight=w),
    "label_accuracy": lambda t, s, w: accuracy_score(t, s, sample_weight=w),
    "log_loss": lambda t, s, w: log_loss(t, s, labels=[0, 1], sample_weight=w),
    "roc_auc": lambda t, s, w: (
        roc_auc_score(t, s, sample_weight=w) if len({*t[w > 0]}) == 2 else np.nan
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_with_unknown_cells_a_score_is_the_mean_over_columns_of_scikit_learn_on_the_known(
    name: str,
) -> None:
    metric = METRICS[name]
    for seed in range(20):
        target, labels, probs = unsaid(seed)
        answer = probs if metric.wants == "probs" else labels
        weights = np.random.default_rng(seed).integers(0, 3, (2, len(target))).astype(float)
        weights[0] = 1
        for row in weights:
            parts = []
            for c in range(4):
                known = (target[:, c] >= 0) & (row > 0)
                parts.append(JUDGED[name](target[known, c], answer[known, c], row[known]))
            found = metric.weighted(target, answer, 4, row[None])[0]
            assert found == pytest.approx(np.nanmean(parts), rel=1e-5)


def test_with_unknown_cells_images_and_all_cells_are_judged_by_the_known_ones() -> None:
    target = np.array([[1, -1, 0], [-1, -1, -1], [1, 0, -1], [-1, 0, -1]])
    labels = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 1]])
    assert METRICS["accuracy"].score(target, labels, 3) == pytest.approx(2 / 3)
    # F1 of the images: 1, none, 0 (a label is missed), 1 (none wanted and none given)
    assert METRICS["sample_f1"].score(target, labels, 3) == pytest.approx(2 / 3)
    known = target >= 0
    expected = f1_score(target[known], labels[known])
    assert METRICS["micro_f1"].score(target, labels, 3) == pytest.approx(expected)


@pytest.mark.parametrize("metric", TABLE_METRICS, ids=lambda metric: metric.name)
def test_an_answer_to_an_unknown_cell_changes_no_score(metric: Metric) -> None:
    if "columns" not in metric.of:
        return
    target, labels, probs = unsaid(0)
    answer = probs if metric.wants == "probs" else labels
    other = np.where(target < 0, 1 - answer, answer)
    assert metric.score(target, other, 4) == metric.score(target, answer, 4)
