"""Second-level models give probabilities of every class, also of those that they never saw."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.ensemble.stacking.models import SECONDS, fit_second
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import TASKS


def usable(name: str) -> Any:
    lacks = name == "lightgbm" and find_spec("lightgbm") is None
    return pytest.param(name, marks=pytest.mark.skipif(lacks, reason="lightgbm is an extra"))


@pytest.mark.parametrize("name", [usable(name) for name in SECONDS])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_model_learns_and_gives_probabilities(name: str, kind: str) -> None:
    draw, task = np.random.default_rng(0), TASKS[kind]
    inputs = draw.normal(0, 1, (120, 3))
    columns = task.columns(2 if kind == "binary" else 4)
    cells = (inputs > 0).astype(np.int64)
    target: Any = {"binary": cells[:, 0], "multiclass": inputs.argmax(axis=1)}.get(kind)
    if target is None:
        target = np.concatenate([cells, np.zeros((120, 1), np.int64)], axis=1)
        target[::3, 1] = UNKNOWN
    second = SECONDS[name]
    answer = fit_second(second, second.strengths[-1], inputs, target, task, columns, 1)
    probs = answer(inputs)
    assert (probs.shape, probs.dtype) == ((120, columns), np.float32)
    assert probs.min() >= 0
    assert probs.max() <= 1
    if task.link.normalized:
        assert probs.sum(axis=1) == pytest.approx(np.ones(120), abs=1e-5)
    labels = task.decide(probs)
    known = target != UNKNOWN
    assert (labels == target)[known].mean() > 0.8
    again = fit_second(second, second.strengths[-1], inputs, target, task, columns, 1)
    assert (again(inputs) == probs).all()


@pytest.mark.skipif(find_spec("lightgbm") is not None, reason="lightgbm is here")
def test_a_missing_extra_is_told() -> None:
    with pytest.raises(ConfigError, match="lightgbm is not installed"):
        SECONDS["lightgbm"].make(20, 0)
