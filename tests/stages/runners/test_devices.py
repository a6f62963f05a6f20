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
from comp.core.errors import Interrupted, OutOfTime, RunError, TrainError
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


def serial(experiment: Experiment) -> list[bytes]:
    """What one fold after the other leaves; nothing is there again after it."""
    train(experiment, "all")
    left = content()
    shutil.rmtree("runs")
    return left


def played(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Children that speak as the real ones do and answer a fold by `body`, without torch."""
    code = (
        "import json, os, signal, sys, time\nfrom pathlib import Path\nsys.stdin.readline()\n"
        "def answer(fold, error, text):\n"
        "    said = {'fold': fold, 'error': error, 'text': text, 'signal': None}\n"
        "    print(json.dumps({'outcome': said}), flush=True)\n"
        "for line in sys.stdin:\n    fold, seconds = json.loads(line).values()\n"
    )
    monkeypatch.setattr(devices, "_COMMAND", [sys.executable, "-c", code + body])


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


def test_a_fold_that_is_killed_and_then_stopped_ends_with_the_same_bytes(
    planned: Planned, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = experiment_of(planned, train__epochs=30)
    alone = serial(experiment)
    run = fold(0)

    def disturb() -> None:
        """Kill the process of fold 0; stop the one in its place as soon as there is one."""
        wait_for(run.last.exists)
        killed = wait_for(lambda: locks.holder(run.path))["pid"]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: (locks.holder(run.path) or {"pid": killed})["pid"] != killed)
        os.kill(os.getpid(), signal.SIGINT)

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    with pytest.raises(Interrupted, match="SIGINT: stopped in fold 0; the same command continues"):
        train_on(TWO, experiment, "all")
    disturbing.join()
    said = capsys.readouterr().err
    assert "was killed (SIGKILL); it goes on from its last checkpoint" in said
    assert locks.holder(run.path) is None
    assert not run.done.exists()
    train_on(TWO, experiment, "all")
    assert "fold 0: resumed" in capsys.readouterr().err
    assert content() == alone


def test_processes_stop_when_the_one_who_asked_is_gone(planned: Planned) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned(train__epochs=5000)))
    command = [sys.executable, "-m", "comp", "train", "-c", "toy.yaml", "--devices", "cpu,cpu"]
    started = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: all(fold(k).last.exists() for k in (0, 1)))
    started.kill()
    started.wait()
    wait_for(lambda: all(locks.holder(fold(k).path) is None for k in (0, 1)))
    assert not any(fold(k).done.exists() for k in (0, 1))


def test_a_signal_reaches_all_processes(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiment_of(planned)
    played(
        monkeypatch,
        "    def stopped(*_):\n        answer(fold, 'OutOfTime', 'stopped')\n"
        "        sys.exit()\n"
        "    signal.signal(signal.SIGTERM, stopped)\n    Path(f'begun_{fold}').touch()\n"
        "    signal.pause()\n",
    )

    def ask() -> None:
        wait_for(lambda: all(Path(f"begun_{k}").exists() for k in (0, 1)))
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Interrupted, match=r"SIGINT: stopped in fold 0, 1"):
        train_on(TWO, experiment, "all")
    asking.join()


def test_a_fold_that_kills_its_process_each_time_is_given_up_and_the_others_end(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(planned)
    train(experiment, "1")
    played(
        monkeypatch,
        "    print('starting', fold, file=sys.stderr, flush=True)\n"
        "    os._exit(7) if fold == 0 else answer(fold, None, None)\n",
    )
    with pytest.raises(TrainError, match=r"(?s)fold 0: given back 3 times, .* exit code 7.*ting 0"):
        train_on(TWO, experiment, "all")


def test_an_error_of_one_fold_comes_after_the_others_have_ended(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(planned)
    played(
        monkeypatch,
        "    if fold == 0:\n        answer(0, 'RunError', 'no whole checkpoint is left')\n"
        "        continue\n"
        "    time.sleep(0.5)\n    Path('ended').touch()\n    answer(1, None, None)\n",
    )
    with pytest.raises(RunError, match="no whole checkpoint is left"):
        train_on(TWO, experiment, "all")
    assert Path("ended").exists()


def test_the_end_of_the_hours_reaches_all_processes(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(planned)
    played(
        monkeypatch,
        "    Path(f'given_{fold}').write_text(str(seconds))\n"
        "    answer(fold, 'OutOfTime', 'the time is over')\n",
    )
    with pytest.raises(OutOfTime, match=r"stopped in fold 0, 1; the same command continues there"):
        train_on(TWO, experiment, "all", stop=Stop(25 / 3600))
    assert all(0 < float(Path(f"given_{k}").read_text()) < 25 for k in (0, 1))
