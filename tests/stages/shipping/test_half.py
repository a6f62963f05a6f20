"""What fp16 weights are said to change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comp.stages.shipping.half import _differ
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS


def ground(task: str, metric: str) -> Any:
    return SimpleNamespace(experiment=SimpleNamespace(task=TASKS[task], metric=METRICS[metric]))


@pytest.mark.parametrize(
    ("task", "metric", "one", "two"),
    [
        ("multiclass", "log_loss", [[0.6, 0.4], [0.5, 0.5]], [[0.59, 0.41], [0.4, 0.6]]),
        ("binary", "roc_auc", [[0.6], [0.5]], [[0.7], [0.4]]),
        ("multiclass", "accuracy", [1, 1], [1, 0]),
    ],
)
def test_images_that_are_decided_otherwise_are_counted(
    task: str, metric: str, one: Any, two: Any
) -> None:
    found = _differ(ground(task, metric), np.array(one), np.array(two))
    assert found.tolist() == [False, True]
