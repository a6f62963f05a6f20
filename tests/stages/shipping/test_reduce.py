"""Which run an ensemble misses least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawn import ground_of, model_of

from comp.stages.shipping import reduce

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def ground(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A good run, one that is nearly as good, and one that says nothing."""
    found = ground_of(toy("multiclass", ensemble__tune=False))
    truth = np.eye(3)[found.index.labels]
    draw = np.random.default_rng(0)

    def noisy(share: float) -> Any:
        probs = (1 - share) * truth + share * draw.dirichlet(np.ones(3), len(truth))
        return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)

    models = [model_of(found, noisy(s), name=n) for n, s in (("a", 0.1), ("b", 0.5), ("c", 1.0))]
    monkeypatch.setattr(reduce, "gather", lambda *_: models)
    return found


def test_the_run_that_is_missed_least_goes_first(ground: Any) -> None:
    found = reduce.reductions(ground, ["a", "b", "c"])
    assert found[0].runs == ("a", "b", "c")
    assert "a" in found[1].runs
    assert found[2].runs == ("a",)
    assert all(len(one.row.fit.weights) == len(one.runs) for one in found)


def test_pruning_keeps_the_fewest_runs_of_the_best_score(ground: Any) -> None:
    found = reduce.reductions(ground, ["a", "b", "c"])
    assert reduce.pruned(found, ground) is found[2]
