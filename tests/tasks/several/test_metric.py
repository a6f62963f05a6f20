"""The score of several tasks, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, mean_absolute_error

from comp.config.tasks import TaskConfig
from comp.core.errors import ConfigError
from comp.tasks.kinds import TOGETHER
from comp.tasks.several.metric import several_metric
from comp.tasks.several.parts import parts_of, several_link

PARTS = parts_of(
    [
        TaskConfig(name="kind", kind="multiclass", classes=("a", "b", "c"), metric="macro_f1"),
        TaskConfig(name="age", kind="regression", metric="mae"),
    ]
)
TASK = replace(TOGETHER, link=several_link(PARTS))


def _drawn() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    kind, probs = draw.integers(3, size=60), draw.dirichlet(np.ones(3), 60)
    age = draw.normal(40, 10, (60, 1))
    target = np.concatenate([np.eye(3)[kind], age], axis=1)
    target[5, :3], target[7, 3] = np.nan, np.nan
    return target, np.concatenate([probs, age + draw.normal(0, 3, (60, 1))], axis=1)


def test_a_formula_of_tasks_and_their_metrics() -> None:
    target, answer = _drawn()
    metric = several_metric("0.5*kind - 0.01*age - 0.1*kind_log_loss", TASK, "lower")
    assert metric.greater_is_better
    known, ages = np.isfinite(target[:, 0]), np.isfinite(target[:, 3])
    truth, probs = target[known, :3].argmax(1), answer[known, :3]
    wanted = 0.5 * f1_score(truth, probs.argmax(1), average="macro")
    wanted -= 0.01 * mean_absolute_error(target[ages, 3], answer[ages, 3])
    wanted -= 0.1 * log_loss(truth, probs)
    assert metric.score(target, answer, 4) == pytest.approx(wanted)
    rule = np.array([0.3, 0.0, -0.2, 0.0])
    moved = metric.score(target, TASK.link.shown(answer, rule), 4)
    change = f1_score(truth, (probs + rule[:3]).argmax(1), average="macro")
    change -= f1_score(truth, probs.argmax(1), average="macro")
    assert moved - metric.score(target, answer, 4) == pytest.approx(0.5 * change)


def test_the_direction_is_said_where_tasks_pull_both_ways() -> None:
    assert several_metric("kind + age", TASK, "higher").greater_is_better
    assert not several_metric("kind + age", TASK, "lower").greater_is_better


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind + sex", "sex is no task; write kind or kind_macro_f1"),
        ("kind_rmse", "tasks: kind: metric: 'rmse' is defined for regression"),
        ("2 + 3", "a formula of no metric"),
    ],
)
def test_what_is_no_formula_of_tasks(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        several_metric(text, TASK, "higher")
