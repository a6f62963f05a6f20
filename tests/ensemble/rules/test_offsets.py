"""Offsets of a softmax: what the ascents find, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from rule_toys import softmax_case

from comp.ensemble.rules.thresholds import tune
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

MULTICLASS = TASKS["multiclass"]


@pytest.mark.parametrize("name", ["macro_f1", "accuracy"])
def test_no_offset_of_one_class_scores_higher_than_the_one_found(name: str) -> None:
    """Where the ascent ended, brute force over the break points of any class gains nothing."""
    metric = METRICS[name]
    for seed in range(40):
        target, probs = softmax_case(seed)
        rule = tune(MULTICLASS, metric, target, probs)
        found = metric.score(target, MULTICLASS.decide(probs, rule), 4)
        for c in range(4):
            rivals = probs + rule
            rivals[:, c] = -9
            points = np.sort(rivals.max(axis=1) - probs[:, c])
            for offset in [points[0] - 1, *(points + 1e-9)]:
                other = rule.copy()
                other[c] = offset
                score = metric.score(target, MULTICLASS.decide(probs, other), 4)
                assert score <= found + 1e-12, (seed, c, offset)


def test_offsets_bring_back_a_class_that_is_never_the_largest() -> None:
    probs = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [0.95, 0.05]], np.float32)
    target = np.array([1, 1, 0, 0])
    rule = tune(MULTICLASS, METRICS["macro_f1"], target, probs)
    assert MULTICLASS.decide(probs, rule).tolist() == [1, 1, 0, 0]


def test_more_starts_never_end_lower_and_sometimes_higher() -> None:
    from comp.ensemble.rules import offsets

    task, metric = TASKS["multiclass"], METRICS["macro_f1"]
    leads = []
    for seed in range(20):
        target, probs = softmax_case(seed)
        rule = tune(task, metric, target, probs)
        ones = np.ones(len(target), dtype=np.int64)

        def score(given: np.ndarray, target=target, probs=probs) -> float:  # type: ignore[no-untyped-def]
            return metric.score(target, task.decide(probs, given), 4)

        assert metric.by_class is not None
        _, one = offsets._ascend(metric.by_class, score, target, probs, ones, np.zeros(4))
        leads.append(score(rule) - one)
    assert min(leads) >= 0
    assert max(leads) > 0
