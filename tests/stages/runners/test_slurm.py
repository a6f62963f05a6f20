"""Folds as jobs, run by submitit's local executor in the place of SLURM."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, PlanError, UsageError
from comp.stages.experiment import open_experiment
from comp.stages.runners import slurm
from comp.stages.runners.order import error_of, order_of
from comp.stages.runners.slurm import Piece, train_on_slurm
from comp.stages.runners.table import Where, train_on
from comp.stages.train import train
from comp.train.stop import Stop

Planned = Callable[..., dict[str, Any]]
FILES = ("last.pt", "best.pt", "history.csv")


def test_without_submitit_the_line_to_install_is_named(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    experiment = open_experiment(make_config(planned()))
    with pytest.raises(ConfigError, match=r'--on slurm needs submitit: pip install "\.\[slurm\]"'):
        train_on(Where("slurm"), experiment, "0")


def test_options_are_those_of_sbatch() -> None:
    found = slurm._parameters({"partition": "gpu", "time": "90", "cpus-per-task": "8"}, 5, "slurm")
    assert found["slurm_partition"] == "gpu"
    assert (found["slurm_time"], found["slurm_cpus_per_task"]) == (90, 8)
    assert (found["slurm_gpus_per_node"], found["slurm_array_parallelism"]) == (1, 5)


def test_where_there_is_no_slurm_and_for_an_unknown_option_it_says_so(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    experiment = open_experiment(make_config(planned()))
    monkeypatch.setenv("PATH", str(Path("tools").absolute()))
    with pytest.raises(ConfigError, match="there is no SLURM on this machine"):
        train_on(Where("slurm", options={"partition": "gpu"}), experiment, "0")
    Path("tools").mkdir()
    for name in ("srun", "sbatch"):
        Path("tools", name).write_text("#!/bin/sh\nexit 1\n")
        Path("tools", name).chmod(0o755)
    with pytest.raises(UsageError, match=r"--on slurm: Unknown argument 'color'"):
        train_on(Where("slurm", options={"color": "red"}), experiment, "0")
    with pytest.raises(UsageError, match=r"--on slurm: sbatch refused the jobs"):
        train_on(Where("slurm", options={"partition": "gpu"}), experiment, "0")


def test_a_piece_that_is_preempted_is_put_back_as_it_is(planned: Planned) -> None:
    pytest.importorskip("submitit")
    piece = Piece(order_of(open_experiment(make_config(planned())), None), 1, None)
    again = piece.checkpoint()
    assert again.function is piece
    assert (again.args, again.kwargs) == ((), {})


def test_jobs_leave_the_bytes_of_a_training_here(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm, "_WAIT", 0.1)
    experiment = open_experiment(make_config(planned()))
    train(experiment, "all")
    alone = content()
    shutil.rmtree("runs")
    order = order_of(experiment, "comp train --on slurm", absolute=True)
    assert train_on_slurm(order, [0, 1], Stop(), Path("logs").absolute(), {}, "local") == []
    assert content() == alone
    Path("folds/toy_binary.csv").unlink()
    outcome = Piece(order, 0, None)()
    assert outcome["fold"] == 0
    assert isinstance(error_of(outcome), PlanError)


def content() -> list[bytes]:
    return [(Path(f"runs/toy_binary/fold_{k}") / n).read_bytes() for k in (0, 1) for n in FILES]
