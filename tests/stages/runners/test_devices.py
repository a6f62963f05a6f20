"""Folds on several processes: the bytes of one after the other, whatever dies on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.config.loading import make_config
from comp.config.workspace import RunDir
from comp.core import locks
from comp.core.errors import OutOfTime, RunError, TrainError
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.runners import devices
from comp.stages.runners.table import Where, train_on
from comp.stages.train import train
from comp.train.stop import Stop

Planned = Callable[..., dict[str, Any]]
TWO = Where("devices", "cpu,cpu")
FILES = ("last.pt", "best.pt", "history.csv")


def experiment_of(planned: Planned, **over: Any) -> Experiment:
    return open_experiment(make_config(planned(**over)))


def fold(number: int) -> RunDir:
    return RunDir(Path("runs/toy_binary") / f"fold_{number}")


def content() -> list[bytes]:
    """The files of both folds that a training writes."""
    return [(fold(k).path / name).read_bytes() for k in (0, 1) for name in FILES]


_SERIAL: dict[int, list[bytes]] = {}


def serial(experiment: Experiment) -> list[bytes]:
    """What one fold after the other leaves, trained once per number of epochs; nothing is there
    again after it."""
    epochs = experiment.config.train.epochs
    if epochs not in _SERIAL:
        train(experiment, "all")
        _SERIAL[epochs] = content()
        shutil.rmtree("runs")
    return _SERIAL[epochs]


def wait_for(what: Callable[[], Any], seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def test_two_processes_leave_the_bytes_of_one_fold_after_the_other(
    planned: Planned, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = experiment_of(planned)
    alone = serial(experiment)
    capsys.readouterr()
    done = train_on(TWO, experiment, "all")
    assert [(one.fold, one.before) for one in done] == [(0, False), (1, False)]
    assert content() == alone
    said = capsys.readouterr().err
    assert all(f"] fold {k}  epoch 2/2" in said for k in (0, 1))
    assert len({line.split("]")[0] for line in said.splitlines() if "epoch 2/2" in line}) == 2
    again = train_on(TWO, experiment, "all")
    assert [one.before for one in again] == [True, True]


def test_a_fold_whose_process_is_killed_goes_on_and_ends_with_the_same_bytes(
    planned: Planned, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = experiment_of(planned, train__epochs=30)
    alone = serial(experiment)
    run = fold(0)

    def kill() -> None:
        wait_for(run.before_last.exists)
        os.kill(wait_for(lambda: locks.holder(run.path))["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    train_on(TWO, experiment, "all")
    killer.join()
    said = capsys.readouterr().err
    assert "was killed (SIGKILL); it goes on from its last checkpoint" in said
    assert "fold 0: resumed" in said
    assert content() == alone


def test_a_fold_that_kills_its_process_each_time_is_given_up_and_the_others_end(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(planned)
    code = (
        "import os, comp.stages.runners.child as child\n"
        "real = child.train_piece\n"
        "def piece(order, fold, seconds):\n"
        "    os._exit(7) if fold == 0 else None\n"
        "    return real(order, fold, seconds)\n"
        "child.train_piece = piece\nchild.main()\nos._exit(0)\n"
    )
    monkeypatch.setattr(devices, "_COMMAND", [sys.executable, "-c", code])
    with pytest.raises(TrainError, match=r"fold 0: given back 3 times, .* exit code 7"):
        train_on(TWO, experiment, "all")
    assert not fold(0).done.exists()
    assert fold(1).done.exists()


def test_an_error_of_one_fold_comes_after_the_others_have_ended(planned: Planned) -> None:
    experiment = experiment_of(planned)
    train(experiment, "0")
    fold(0).done.unlink()
    fold(0).last.write_bytes(b"torn")
    fold(0).before_last.write_bytes(b"torn too")
    with pytest.raises(RunError, match="no whole checkpoint is left"):
        train_on(TWO, experiment, "all")
    assert fold(1).done.exists()


def test_the_end_of_the_hours_reaches_all_processes(planned: Planned) -> None:
    experiment = experiment_of(planned, train__epochs=5000)
    with pytest.raises(OutOfTime, match=r"stopped in fold 0, 1; the same command continues there"):
        train_on(TWO, experiment, "all", stop=Stop(25 / 3600))
    assert all(fold(k).last.exists() and not fold(k).done.exists() for k in (0, 1))


def test_a_signal_reaches_all_processes_and_the_same_command_ends_with_the_same_bytes(
    planned: Planned,
) -> None:
    number = signal.SIGINT
    config = planned(train__epochs=30)
    alone = serial(open_experiment(make_config(config)))
    Path("toy.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "comp", "train", "-c", "toy.yaml", "--devices", "cpu,cpu"]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: all(fold(k).last.exists() for k in (0, 1)))
    started.send_signal(number)
    _, said = started.communicate(timeout=300)
    assert started.returncode == 128 + number, said
    assert f"{number.name}: stopped in fold 0, 1; the same command continues there" in said
    assert all(locks.holder(fold(k).path) is None for k in (0, 1))
    subprocess.run(command, check=True, capture_output=True)
    assert content() == alone


def test_processes_stop_when_the_one_who_asked_is_gone(planned: Planned) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned(train__epochs=5000)))
    command = [sys.executable, "-m", "comp", "train", "-c", "toy.yaml", "--devices", "cpu,cpu"]
    started = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: all(fold(k).last.exists() for k in (0, 1)))
    started.kill()
    started.wait()
    wait_for(lambda: all(locks.holder(fold(k).path) is None for k in (0, 1)))
