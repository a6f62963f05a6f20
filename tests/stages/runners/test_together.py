"""One fold on several devices by torchrun, as `--together` starts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, TrainError
from comp.stages.experiment import open_experiment
from comp.stages.runners import together
from comp.stages.runners.table import Where, train_on

Planned = Callable[..., dict[str, Any]]
BOTH = Where("together", "cpu,cpu")


def test_it_trains_a_fold_by_two_processes(planned: Planned, capfd: Any) -> None:
    experiment = open_experiment(make_config(planned()))
    (done,) = train_on(BOTH, experiment, "0")
    assert (done.fold, done.before, done.manifest["epochs"]) == (0, False, 2)
    said = capfd.readouterr().err
    assert "fold 0: 2 processes, 3 + 3 images of each batch of 6" in said
    assert said.count("epoch 2/2") == 1


def test_what_is_wrong_is_one_error(planned: Planned) -> None:
    experiment = open_experiment(make_config(planned(train__sync_norm=True)))
    with pytest.raises(ConfigError, match=r"train.sync_norm: torch synchronizes .* CUDA devices"):
        train_on(BOTH, experiment, "0")


def test_a_fold_whose_processes_die_each_time_is_given_up(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = open_experiment(make_config(planned()))
    monkeypatch.setattr(together, "_run", lambda *_: 1)
    with pytest.raises(TrainError, match="fold 0: its processes died 3 times"):
        train_on(BOTH, experiment, "0")
    assert capsys.readouterr().err.count("all begin again at its last checkpoint") == 3
    assert not Path("runs/toy_binary/fold_0/done.json").exists()
