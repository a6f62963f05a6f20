"""Tuning is exact: no cut that brute force can find scores higher."""

from __future__ import annotations

import numpy as np
import pytest
from rule_toys import softmax_case
from sklearn.metrics import accuracy_score, f1_score

from comp.ensemble.rules.thresholds import exact_threshold, tune
from comp.tasks.kinds import TASKS, Task
from comp.tasks.metrics import METRICS, Metric

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))
TABLE_TASKS = [t for t in TASKS.values() if not t.spatial and not t.link.measures]
LABEL_METRICS = [metric for metric in METRICS.values() if metric.wants == "labels"]


def column(seed: int, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """A few rows, with many equal probabilities, zeros and ones."""
    draw = np.random.default_rng(seed)
    rows = int(draw.integers(2, 14))
    probs = (draw.integers(0, 7, rows) / 6 if seed % 2 else draw.random(rows)).astype(dtype)
    return (draw.random(rows) < 0.4).astype(np.int64), probs


def macro_f1(target: np.ndarray, labels: np.ndarray) -> float:
    return float(f1_score(target, labels, labels=[0, 1], average="macro", zero_division=np.nan))


def binary_f1(target: np.ndarray, labels: np.ndarray) -> float:
    return float(f1_score(target, labels, zero_division=np.nan))


JUDGES = [
    (BINARY, "macro_f1", macro_f1),
    (BINARY, "accuracy", accuracy_score),
    (MULTILABEL, "macro_f1", binary_f1),
    (MULTILABEL, "label_accuracy", accuracy_score),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("task", "name", "judge"), JUDGES)
def test_no_cut_scores_higher_than_the_threshold(task, name, judge, dtype) -> None:  # type: ignore[no-untyped-def]
    for seed in range(60):
        target, probs = column(seed, dtype)
        if not target.any() or len(set(probs)) == 1:
            continue
        shaped = target.reshape(-1, 1) if task.target_ndim == 2 else target
        rule = tune(task, METRICS[name], shaped, probs[:, None])
        found = judge(target, task.decide(probs[:, None], rule).reshape(-1))
        cuts = [*np.unique(probs), 2.0]
        assert found == pytest.approx(max(judge(target, probs >= cut) for cut in cuts), abs=1e-12)


def test_a_threshold_of_one_half_stays_where_it_is_among_the_best() -> None:
    target, probs = np.array([0, 0, 1, 1]), np.array([[0.1], [0.4], [0.6], [0.9]], np.float32)
    assert tune(BINARY, METRICS["macro_f1"], target, probs).tolist() == [0.5]


def test_a_threshold_off_one_half_is_in_the_middle_of_its_gap() -> None:
    target, probs = np.array([0, 0, 1, 1]), np.array([[0.0], [0.125], [0.25], [0.375]])
    assert tune(BINARY, METRICS["macro_f1"], target, probs).tolist() == [0.1875]


def test_of_equal_cuts_the_nearest_to_one_half_wins() -> None:
    """Accuracy is 2/3 with a cut between 0.1 and 0.2, and below 0.05 as well."""
    target, probs = np.array([1, 0, 1]), np.array([[0.05], [0.1], [0.2]])
    assert tune(BINARY, METRICS["accuracy"], target, probs).tolist() == pytest.approx([0.15])
    target, probs = np.array([1, 0]), np.array([[0.7], [0.9]])  # all of them, or none: above 0.9
    assert tune(BINARY, METRICS["accuracy"], target, probs).tolist() == [0.5]


@pytest.mark.parametrize(
    ("target", "probs"),
    [
        ([0, 0, 0], [0.1, 0.6, 0.9]),
        ([1, 0, 1], [0.9, 0.9, 0.9]),
        ([1], [0.1]),
        ([], []),
    ],
    ids=["no positives", "all equal", "one row", "no rows"],
)
def test_where_nothing_can_be_tuned_the_threshold_is_one_half(target, probs) -> None:  # type: ignore[no-untyped-def]
    score = METRICS["macro_f1"].column_score(2)
    assert score is not None
    assert exact_threshold(np.array(target, int), np.array(probs, np.float32), score) == 0.5


def test_neighbouring_floats_and_zeros_of_both_signs_are_told_apart_rightly() -> None:
    score = METRICS["macro_f1"].column_score(2)
    assert score is not None
    high = 0.75
    low = np.nextafter(high, 0)
    probs = np.array([low, high, -0.0, 0.0])
    threshold = exact_threshold(np.array([0, 1, 0, 0]), probs, score)
    assert (probs >= threshold).tolist() == [False, True, False, False]
    threshold = exact_threshold(np.array([1, 0, 1, 1]), np.array([0.0, 0.5, -0.0, 0.25]), score)
    assert threshold == 0.0


@pytest.mark.parametrize("metric", LABEL_METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("task", TABLE_TASKS, ids=lambda task: task.name)
def test_tuning_never_lowers_the_score_it_tunes(task: Task, metric: Metric) -> None:
    if task.target_kind not in metric.of:
        return
    for seed in range(25):
        target, probs = softmax_case(seed)
        if not task.link.normalized:
            target = np.eye(4, dtype=np.int64)[target]
            target, probs = (target[:, 0], probs[:, :1]) if task is BINARY else (target, probs)
        rule = tune(task, metric, target, probs)
        raw, tuned = (metric.score(target, task.decide(probs, r), 4) for r in (None, rule))
        slack = 1e-12 if metric.greater_is_better else -1e-12
        assert not metric.better(raw, tuned + slack)


@pytest.mark.parametrize("task", TABLE_TASKS, ids=lambda task: task.name)
def test_the_order_of_the_rows_does_not_matter(task: Task) -> None:
    for seed in range(20):
        target, probs = softmax_case(seed)
        probs = probs.round(1)
        if not task.link.normalized:
            target = np.eye(4, dtype=np.int64)[target]
            target, probs = (target[:, 0], probs[:, :1]) if task is BINARY else (target, probs)
        rule = tune(task, METRICS["macro_f1"], target, probs)
        rows = np.random.default_rng(seed).permutation(len(target))
        assert tune(task, METRICS["macro_f1"], target[rows], probs[rows]).tolist() == rule.tolist()


@pytest.mark.parametrize("name", ["log_loss", "roc_auc"])
def test_metrics_of_probabilities_leave_the_rule_neutral(name: str) -> None:
    target, probs = softmax_case(0)
    assert tune(MULTICLASS, METRICS[name], target, probs).tolist() == [0, 0, 0, 0]
    assert tune(MULTILABEL, METRICS[name], np.eye(4)[target], probs).tolist() == [0.5] * 4


def labels_case(seed: int, rows: int = 14) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return (draw.random((rows, 2)) < 0.4).astype(np.int64), draw.random((rows, 2)).round(1)


def every_rule(probs: np.ndarray) -> list[np.ndarray]:
    edges = [np.unique(np.append(probs[:, c], [0.5, 1.1])) for c in range(2)]
    return [np.array([a, b]) for a in edges[0] for b in edges[1]]


@pytest.mark.parametrize("seed", range(6))
def test_no_pair_of_thresholds_has_a_better_micro_f1(seed: int) -> None:
    task, metric = TASKS["multilabel"], METRICS["micro_f1"]
    target, probs = labels_case(seed)
    found = metric.score(target, task.decide(probs, tune(task, metric, target, probs)), 2)
    best = max(metric.score(target, task.decide(probs, r), 2) for r in every_rule(probs))
    assert found == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_no_single_threshold_moved_has_a_better_sample_f1(seed: int) -> None:
    task, metric = TASKS["multilabel"], METRICS["sample_f1"]
    target, probs = labels_case(seed)
    rule = tune(task, metric, target, probs)
    found = metric.score(target, task.decide(probs, rule), 2)
    for other in every_rule(probs):
        for c in range(2):
            moved = rule.copy()
            moved[c] = other[c]
            assert metric.score(target, task.decide(probs, moved), 2) <= found + 1e-9


def test_a_column_without_positives_keeps_one_half_for_every_metric() -> None:
    task = TASKS["multilabel"]
    target, probs = labels_case(0)
    target[:, 1] = 0
    for name in ("macro_f1", "micro_f1"):
        assert tune(task, METRICS[name], target, probs)[1] == 0.5


@pytest.mark.parametrize("metric", LABEL_METRICS, ids=lambda metric: metric.name)
def test_thresholds_are_tuned_on_the_known_cells_alone(metric: Metric) -> None:
    if "columns" not in metric.of:
        return
    for seed in range(20):
        draw = np.random.default_rng(seed)
        target = (draw.random((40, 3)) < 0.4).astype(np.int64)
        probs = np.clip(target * 0.3 + draw.random((40, 3)) * 0.6, 0, 1).astype(np.float32)
        target[draw.random((40, 3)) < 0.4] = -1
        rule = tune(MULTILABEL, metric, target, probs)
        other = np.where(target < 0, draw.random((40, 3)), probs).astype(np.float32)
        assert tune(MULTILABEL, metric, target, other).tolist() == rule.tolist()
        found, plain = (
            metric.score(target, MULTILABEL.decide(probs, r), 3) for r in (rule, np.full(3, 0.5))
        )
        assert found >= plain - 1e-12
        if metric.by_column:
            own = [
                tune(MULTILABEL, metric, target[k, c : c + 1], probs[k, c : c + 1])[0]
                for c, k in enumerate((target >= 0).T)
            ]
            assert rule.tolist() == own


def repeated(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, probabilities and whole weights of 60 rows; some weigh nothing."""
    draw = np.random.default_rng(seed)
    columns = 1 if task is BINARY else 3
    probs = draw.random((60, columns)).astype(np.float32)
    if task.link.normalized:
        probs /= probs.sum(axis=1, keepdims=True)
    shape = (60, columns) if task.target_ndim == 2 else 60
    target = draw.integers(0, 2 if columns == 1 or task.target_ndim == 2 else 3, shape)
    return target, probs, draw.integers(0, 4, 60)


@pytest.mark.parametrize("metric", LABEL_METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("task", TABLE_TASKS, ids=lambda task: task.name)
def test_a_row_of_weight_three_counts_as_three_rows(task: Task, metric: Metric) -> None:
    if task.target_kind not in metric.of:
        return
    for seed in range(3):
        target, probs, weights = repeated(task, seed)
        rows = np.repeat(np.arange(60), weights)
        weighed = tune(task, metric, target, probs, weights.astype(float))
        again = tune(task, metric, target[rows], probs[rows])
        classes = max(2, probs.shape[1])
        scores = [
            metric.score(target, task.decide(probs, rule), classes, weights)
            for rule in (weighed, again)
        ]
        assert scores[0] == pytest.approx(scores[1], abs=0.02 if task.link.normalized else 1e-9)
        sign = 1 if metric.greater_is_better else -1
        neutral = metric.score(target, task.decide(probs), classes, weights)
        assert sign * scores[0] >= sign * neutral - 1e-9
