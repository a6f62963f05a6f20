"""The threshold of the new class against all thresholds there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from comp.ensemble.rules.thresholds import tune
from comp.tasks.kinds import NEW, TASKS
from comp.tasks.metrics import METRICS

TASK = replace(TASKS["multiclass"], link=NEW)


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sure of known classes, unsure of new ones (class 4 of 5)."""
    draw = np.random.default_rng(seed)
    target = draw.integers(0, 5, 60)
    logits = draw.normal(size=(60, 5))
    known = target < 4
    logits[known, target[known]] += 2.5
    logits[:, 4] = -6
    probs = np.exp(logits)
    return target, probs / probs.sum(axis=1, keepdims=True)


def ranked_score(target: np.ndarray, probs: np.ndarray, threshold: float, places: int) -> float:
    """The mean of 1 / rank where the new class is inserted before the first class below."""
    total = 0.0
    for truth, row in zip(target, probs, strict=True):
        order = sorted(range(4), key=lambda c: -row[c])
        place = sum(row[c] - row[4] > threshold for c in order)
        ranks = [*order[:place], 4, *order[place:]][:places]
        total += 1 / (ranks.index(truth) + 1) if truth in ranks else 0.0
    return total / len(target)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("name", "places"), [("map_at_3", 3), ("accuracy", 1)])
def test_no_threshold_scores_higher(seed: int, name: str, places: int) -> None:
    target, probs = world(seed)
    metric = METRICS[name]
    rule = tune(TASK, metric, target, probs)
    assert rule[:-1].tolist() == [0] * 4
    answer = NEW.shown(probs, rule) if metric.wants == "probs" else TASK.decide(probs, rule)
    found = metric.score(target, answer, 5)
    everywhere = [0.0, *np.linspace(0.001, 1, 700)]
    best = max(ranked_score(target, probs, each, places) for each in everywhere)
    assert found == pytest.approx(ranked_score(target, probs, rule[-1], places))
    assert found >= best - 1e-9
    plain = probs if metric.wants == "probs" else TASK.decide(probs)
    assert found > metric.score(target, plain, 5)


def test_probabilities_with_the_threshold_keep_their_order_and_sum_to_one() -> None:
    _, probs = world(9)
    shown = NEW.shown(probs, np.array([0, 0, 0, 0, 0.4]))
    assert shown.sum(axis=1) == pytest.approx(np.ones(60))
    assert np.array_equal(shown[:, :4].argsort(axis=1), probs[:, :4].argsort(axis=1))
