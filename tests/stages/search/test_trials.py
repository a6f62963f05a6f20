"""Single trials: settings laid over a config, their outcome, the speed of a config."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.search.trials import kept_trial, lay, measure_speed, run_trial, with_settings

Planned = Callable[..., dict[str, Any]]


@pytest.fixture
def experiment(planned: Planned) -> Experiment:
    return open_experiment(make_config(planned(train__epochs=3, train__warmup_epochs=2)))


def test_settings_are_laid_over_and_what_epochs_limit_follows(experiment: Experiment) -> None:
    found = with_settings(experiment.config, {"train.epochs": 1, "augment.recipe": "light"})
    assert (found.train.epochs, found.train.warmup_epochs) == (1, 0)
    assert (found.augment.recipe, found.train.lr) == ("light", experiment.config.train.lr)
    with pytest.raises(ConfigError, match=r"train\.lr"):
        with_settings(experiment.config, {"train.lr": -1.0})


def test_a_trial_is_trained_on_the_plan_of_the_experiment_in_its_own_folder(
    experiment: Experiment,
) -> None:
    name = experiment.config.name
    laid = lay(experiment, {"train.epochs": 1}, f"{name}/tune/x")
    outcome = run_trial(laid, "0..1")
    assert len(outcome.scores) == len(outcome.losses) == 2
    for fold in (0, 1):
        manifest = json.loads(Path(f"runs/{name}/tune/x/fold_{fold}/done.json").read_text())
        assert outcome.scores[fold] == manifest["best"]["macro_f1"]
    assert [path.name for path in Path("folds").glob("*.csv")] == [f"{name}.csv"]
    assert run_trial(laid, "0..1").scores == outcome.scores


def test_of_a_kept_trial_the_outcome_is_left_and_read_again(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid = lay(experiment, {"train.epochs": 1}, f"{experiment.config.name}/tune/a1")
    outcome = kept_trial(laid)
    left = sorted(path.name for path in laid.workspace.run.parent.iterdir())
    assert left == ["a1.json"]
    monkeypatch.setattr("comp.stages.search.trials.run_trial", lambda *_: 1 / 0)
    assert kept_trial(laid) == outcome


def test_settings_that_cannot_be_trained_are_an_outcome(experiment: Experiment) -> None:
    laid = lay(experiment, {"model.name": "no_such_net"}, "binary/tune/b1")
    outcome = run_trial(laid, "0")
    assert outcome.scores == ()
    assert "has no 'no_such_net'" in outcome.failed


def test_a_speed_is_measured_without_touching_the_run(experiment: Experiment) -> None:
    speed = measure_speed(experiment, seconds=0.1)
    assert speed.train > 0
    assert speed.valid > 0
    assert speed.start >= 0
    assert not experiment.workspace.run.exists()
    one = lay(experiment, {"train.batch_size": 100}, experiment.config.name)
    assert measure_speed(one, seconds=0.1).train > 0  # an epoch is a single batch
