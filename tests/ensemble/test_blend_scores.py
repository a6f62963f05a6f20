"""Judges of candidate blends: quick, and in agreement with the metric itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blend_toys import classes_case, columns_case

from comp.ensemble.blend_scores import ClassJudge, CountJudge, PlainJudge, make_judge
from comp.ensemble.votes import VOTES, custom_vote
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))
SOFT = VOTES["soft"]
WEIGHTS = np.array([0.15, 0.2, 0.25, 0.4, 0.0])


def mean_of(judge: Any, weights: np.ndarray) -> np.ndarray:
    """(C, N) the weighted mean of what the vote averages."""
    return np.einsum("m,mcn->cn", weights.astype(np.float32), judge.values)


def test_a_judge_scores_a_blend_as_the_metric_scores_its_answer() -> None:
    target, probs = columns_case()
    rule = np.full(4, 0.45)
    for name in ("macro_f1", "micro_f1", "sample_f1", "log_loss"):
        metric = METRICS[name]
        votes = [v for v in VOTES.values() if v.gives_probs or metric.wants == "labels"]
        for vote in (v for v in votes if not v.middle):
            judge = make_judge(MULTILABEL, metric, vote, target, probs, rule)
            result = vote.merge(probs, WEIGHTS, MULTILABEL, rule)
            answer = result.probs if metric.wants == "probs" else result.labels
            found = judge.score(mean_of(judge, WEIGHTS))
            assert answer is not None
            expected = metric.score(target, answer, 4)
            assert found == pytest.approx(expected if metric.greater_is_better else -expected)


KINDS = [
    (BINARY, "macro_f1", CountJudge),
    (BINARY, "accuracy", CountJudge),
    (BINARY, "log_loss", PlainJudge),
    (MULTILABEL, "label_accuracy", CountJudge),
    (MULTILABEL, "micro_f1", CountJudge),
    (MULTILABEL, "sample_f1", PlainJudge),
    (MULTICLASS, "macro_f1", ClassJudge),
    (MULTICLASS, "log_loss", PlainJudge),
]
VOTED = [(*kind, vote) for kind in KINDS for vote in ("soft", "hard")
         if (kind[1], vote) != ("log_loss", "hard")]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "metric", "kind", "vote"), VOTED, ids=[f"{v[0].name}-{v[1]}-{v[3]}" for v in VOTED]
)
def test_a_step_is_the_score_of_each_member_added_to_the_picks(
    task: Any, metric: str, kind: type, vote: str
) -> None:
    target, probs = classes_case() if task is MULTICLASS else columns_case()
    if task is BINARY:
        target, probs = target[:, 0], [member[:, :1] for member in probs]
    rule = task.link.neutral(probs[0].shape[1])
    judge = make_judge(task, METRICS[metric], VOTES[vote], target, probs, rule)
    assert isinstance(judge, kind)
    total = judge.values[1] + judge.values[2]
    scores = judge.step(total, 2, np.array([0, 3, 2]))
    expected = [judge.score((total + judge.values[m]) / np.float32(3)) for m in (0, 3, 2)]
    assert scores.tolist() == pytest.approx(expected)
    assert len(set(expected)) > 1


def test_a_metric_that_is_better_when_small_is_judged_with_its_sign_turned() -> None:
    target, probs = classes_case()
    metric = METRICS["log_loss"]
    judge = make_judge(MULTICLASS, metric, SOFT, target, probs, np.zeros(3))
    expected = -metric.score(target, probs[0], 3)
    assert judge.score(judge.values[0]) == pytest.approx(expected)
    uniform = np.full((3, 80), 1 / 3, np.float32)
    assert judge.score(uniform) == pytest.approx(-np.log(3))
    assert expected > -np.log(3)


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "log_loss"])
@pytest.mark.parametrize("task", [BINARY, MULTICLASS], ids=["binary", "multiclass"])
def test_rows_count_by_the_weights_of_their_classes(task: Any, metric: str) -> None:
    """The accuracy of a judge is its mean share of the classes: in proportion to the metric."""
    target, probs = classes_case()
    weights = np.array([0.2, 1.0, 3.0])
    if task is BINARY:
        target, probs, weights = target % 2, [member[:, 1:2] for member in probs], weights[:2]
    rule = task.link.neutral(probs[0].shape[1])
    judge = make_judge(task, METRICS[metric], SOFT, target, probs, rule, weights=weights[target])
    result = SOFT.merge(probs, WEIGHTS, task, rule)
    answer = result.probs if METRICS[metric].wants == "probs" else result.labels
    expected = METRICS[metric].score(target, answer, len(weights), weights[target])
    plain = METRICS[metric].score(target, answer, len(weights))
    scale = {"macro_f1": 1, "accuracy": 1 / len(weights), "log_loss": -1}[metric]
    found = judge.score(mean_of(judge, WEIGHTS))
    assert found == pytest.approx(scale * expected, rel=1e-5)
    assert abs(expected - plain) > 0.001


def test_members_of_a_hard_vote_decide_by_their_own_thresholds() -> None:
    target = np.array([0, 1, 0, 1])
    probs = [np.array([[0.1], [0.3], [0.1], [0.3]]), np.array([[0.7], [0.9], [0.7], [0.9]])]
    rules = np.array([[0.2], [0.8]])
    judge = make_judge(BINARY, METRICS["macro_f1"], VOTES["hard"], target, probs, rules)
    assert [judge.score(judge.values[m]) for m in (0, 1)] == [1.0, 1.0]


def test_ranks_are_taken_within_each_fold() -> None:
    """The scores of fold 1 are all higher, and ordered as those of fold 0 are."""
    target, fold = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    probs = [np.array([[0.1], [0.2], [0.8], [0.9]])]
    half, metric = np.array([0.5]), METRICS["macro_f1"]
    for parts, score in ((fold, 1.0), (None, 0.5)):
        judge = make_judge(BINARY, metric, VOTES["rank"], target, probs, half, parts=parts)
        assert judge.score(judge.values[0]) == score


@pytest.mark.parametrize(
    ("task", "metric"),
    [(MULTILABEL, "macro_f1"), (MULTILABEL, "micro_f1"), (MULTICLASS, "macro_f1")],
    ids=["columns", "total", "classes"],
)
def test_a_vote_whose_scale_runs_the_other_way_is_judged_by_its_answer(
    task: Any, metric: str
) -> None:
    """The harmonic mean: the smaller the mean of the reciprocals, the more probable."""
    harmonic = custom_vote("harmonic", lambda p: 1 / np.maximum(p, 1e-6), lambda m: 1 / m)
    target, probs = classes_case() if task is MULTICLASS else columns_case()
    classes = probs[0].shape[1]
    rule = task.link.neutral(classes)
    judge = make_judge(task, METRICS[metric], harmonic, target, probs, rule)
    labels = harmonic.merge(probs, WEIGHTS, task, rule).labels
    expected = METRICS[metric].score(target, labels, classes)
    assert judge.score(mean_of(judge, WEIGHTS)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["macro_f1", "label_accuracy", "micro_f1", "sample_f1", "log_loss"]
)
def test_unknown_cells_do_not_count_for_a_judge(name: str) -> None:
    target, probs = columns_case()
    target = np.where(np.random.default_rng(1).random(target.shape) < 0.4, -1, target)
    metric, rule = METRICS[name], np.full(4, 0.45)
    judge = make_judge(MULTILABEL, metric, SOFT, target, probs, rule)
    result = SOFT.merge(probs, WEIGHTS, MULTILABEL, rule)
    answer = result.probs if metric.wants == "probs" else result.labels
    expected = metric.score(target, answer, 4) * (1 if metric.greater_is_better else -1)
    assert judge.score(mean_of(judge, WEIGHTS)) == pytest.approx(expected)
    singles = judge.step(np.zeros_like(judge.values[0]), 0, np.arange(5))
    alone = [SOFT.merge([p], np.ones(1), MULTILABEL, rule) for p in probs]
    scores = [
        metric.score(target, a.probs if metric.wants == "probs" else a.labels, 4) for a in alone
    ]
    sign = 1 if metric.greater_is_better else -1
    assert singles.tolist() == pytest.approx([sign * score for score in scores])


@pytest.mark.parametrize("metric", ["macro_f1", "micro_f1", "label_accuracy"])
def test_labels_of_weighted_rows_are_counted_by_their_weights(metric: str) -> None:
    draw = np.random.default_rng(4)
    target = draw.integers(0, 2, (50, 3))
    target[::7, 1] = -1
    probs = [draw.random((50, 3)).astype(np.float32) for _ in range(2)]
    weights, task = draw.random(50), TASKS["multilabel"]
    judge = make_judge(task, METRICS[metric], SOFT, target, probs, np.full(3, 0.5), weights=weights)
    labels = task.decide(np.mean(probs, axis=0))
    expected = METRICS[metric].score(target, labels, 3, weights)
    mean = judge.values.mean(axis=0)
    assert judge.score(mean) == pytest.approx(expected, rel=1e-4)
    step = judge.step(judge.values[0], 1, np.array([1]))
    assert step[0] == pytest.approx(expected, rel=1e-4)
    assert abs(METRICS[metric].score(target, labels, 3) - expected) > 1e-3
