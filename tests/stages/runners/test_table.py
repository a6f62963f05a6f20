"""The table of runners, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, RunError, UsageError
from comp.stages.experiment import open_experiment
from comp.stages.runners import table
from comp.stages.runners.table import train_on
from comp.stages.runners.where import Where, where_of
from comp.stages.train import train

Planned = Callable[..., dict[str, Any]]


def test_torchrun_goes_without_other_runners(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    experiment = open_experiment(make_config(planned()))
    with pytest.raises(UsageError, match="torchrun has started several processes; leave --devices"):
        train_on(where_of("cpu"), experiment, "all")


def test_an_unknown_runner_is_told_with_the_known_ones(planned: Planned) -> None:
    experiment = open_experiment(make_config(planned()))
    with pytest.raises(ConfigError, match=r"unknown runner \(--on\) 'rey'; it is one of: local"):
        train_on(Where("rey"), experiment, "all")


def test_what_is_said_to_be_trained_must_be_there(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by processes that have another disk."""
    experiment = open_experiment(make_config(planned()))
    monkeypatch.setattr(table, "train_on_devices", lambda *_: [])
    with pytest.raises(RunError, match=r"fold_0: another process has trained this fold, and its"):
        train_on(Where("devices", "cpu"), experiment, "all")


def test_a_restart_clears_once_and_packs_are_made_before(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = open_experiment(make_config(planned()))
    train(experiment, "0")
    seen: list[Any] = []

    def send(slots: Any, order: Any, folds: Any, stop: Any) -> list[Any]:
        packed = [path.name for path in Path("cache").rglob("manifest.json")]
        seen.append((list(folds), Path("runs/toy_binary/fold_0/last.pt").exists(), bool(packed)))
        return []

    monkeypatch.setattr(table, "train_on_devices", send)
    with pytest.raises(RunError):
        train_on(Where("devices", "cpu"), experiment, "0", restart=True)
    assert seen == [([0], False, True)]
