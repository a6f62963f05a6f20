"""One fold on several devices by torchrun, as `--together` starts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import PlanError, TrainError
from comp.stages.experiment import open_experiment
from comp.stages.runners import together
from comp.stages.runners.order import order_of
from comp.stages.runners.table import Where, train_on
from comp.train.stop import Stop

Planned = Callable[..., dict[str, Any]]
BOTH = Where("together", "cpu,cpu")


def test_what_is_wrong_in_a_process_is_one_error(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchrun is played by a call here; `tests/test_several_processes.py` has the real one."""
    experiment = open_experiment(make_config(planned()))
    Path("folds/toy_binary.csv").unlink()

    def run(slots: Any, asked: Path, answer: Path, stop: Any) -> int:
        with pytest.raises(SystemExit) as end:
            together.main(asked, answer)
        return int(end.value.code or 0)

    order = order_of(experiment, None)
    monkeypatch.setattr(together, "_run", run)
    ((fold, problem),) = together.train_together([], order, [0], Stop())
    assert fold == 0
    assert isinstance(problem, PlanError)
    assert "folds/toy_binary.csv" in str(problem)


def test_a_fold_whose_processes_die_each_time_is_given_up(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = open_experiment(make_config(planned()))
    monkeypatch.setattr(together, "_run", lambda *_: 1)
    with pytest.raises(TrainError, match="fold 0: its processes died 3 times"):
        train_on(BOTH, experiment, "0")
    assert capsys.readouterr().err.count("all begin again at its last checkpoint") == 3
    assert not Path("runs/toy_binary/fold_0/done.json").exists()
