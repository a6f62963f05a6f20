"""A fold is finished where its manifest fits, and damaged or foreign otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import DamagedError, RunError
from comp.stages.experiment import open_experiment
from comp.train.checkpoints.finished import finished

Toy = Callable[..., dict[str, Any]]


def test_a_fold_is_finished_when_its_manifest_fits(finished_fold: Any) -> None:
    run, plan, manifest = finished_fold
    assert finished(run, plan) == finished(run, plan, epochs=2) == manifest
    assert finished(run, plan, epochs=3) is None
    run.done.write_text(json.dumps({**manifest, "early": True}))
    assert finished(run, plan, epochs=3) == {**manifest, "early": True}
    run.done.unlink()
    assert finished(run, plan) is None


def test_a_manifest_that_does_not_fit_is_refused_or_damaged(finished_fold: Any) -> None:
    run, plan, manifest = finished_fold
    with pytest.raises(RunError, match=f"trained with plan {plan[:8]}, the plan is now ffffffff"):
        finished(run, "f" * 64)
    run.done.write_text(json.dumps({**manifest, "epochs": "two"}))
    with pytest.raises(DamagedError, match=r"done\.json: damaged"):
        finished(run, plan)
    run.done.write_text(json.dumps(manifest))
    run.best.write_bytes(b"another")
    with pytest.raises(DamagedError, match=r"best\.pt: not the file that done\.json names"):
        finished(run, plan)
    run.done.write_text("{")
    with pytest.raises(DamagedError):
        finished(run, plan)


@pytest.fixture
def finished_fold(finished: Toy) -> Any:
    """The folder of a finished fold, the fingerprint of its plan, and its manifest."""
    experiment = open_experiment(make_config(finished()))
    run = experiment.workspace.fold(0)
    return (
        run,
        json.loads(experiment.workspace.plan_json.read_text())["fingerprint"],
        json.loads(run.done.read_text()),
    )
