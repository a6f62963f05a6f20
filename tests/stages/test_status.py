"""`comp status` says what is there, whatever is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp import lock
from comp.config import Config, make_config
from comp.errors import Interrupted
from comp.report.status import describe_left, print_status
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.status import Status, read_status
from comp.stages.train import train
from comp.train import loop
from comp.train.stop import Stop

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def config(toy: Toy) -> Config:
    return make_config(toy("binary", train__batch_size=6))


def fold(status: Status, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = status.plain()["folds"][number]
    return found


def trained(config: Config, folds: str = "all") -> Path:
    """Plan and train; the folder of fold 0."""
    experiment = open_experiment(config)
    make_folds(experiment, replace=False)
    train(experiment, folds)
    return experiment.workspace.fold(0).path


def stopped(config: Config, monkeypatch: pytest.MonkeyPatch, updates: int) -> Path:
    """Fold 0 stopped by a signal after so many updates; its folder."""
    make_folds(open_experiment(config), replace=False)
    real, calls = loop.update, iter(range(10**6))

    def update(job: Any, *rest: Any) -> None:
        real(job, *rest)
        if next(calls) == updates - 1:
            job.stop.signal = 2

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "update", update)
        train(open_experiment(config), "0")
    return open_experiment(config).workspace.fold(0).path


def test_nothing_yet(config: Config) -> None:
    status = read_status(config)
    assert (status.plan, status.plan_note, status.next) == (None, None, "comp folds make")
    assert [f.state for f in status.folds] == ["missing", "missing"]
    assert status.seconds_left is None


def test_a_plan_and_no_training(config: Config) -> None:
    plan, _, _ = make_folds(open_experiment(config), replace=False)
    status = read_status(config)
    assert (status.plan, status.next) == (plan.fingerprint, "comp train --fold 0,1")


def test_a_plan_that_is_not_whole(config: Config) -> None:
    make_folds(open_experiment(config), replace=False)
    for spoil in (lambda path: path.write_text("{"), Path.unlink):
        spoil(Path("folds/toy_binary.json"))
        status = read_status(config)
        assert status.plan is None
        assert str(status.plan_note).startswith("the plan is not whole (folds/toy_binary.csv")
        assert status.next == "comp folds make"


def test_a_fold_that_stopped_inside_an_epoch(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(config, monkeypatch, 3)
    status = read_status(config)
    found = fold(status)
    assert (found["state"], found["epochs"], found["step"], found["of"]) == ("partial", 1, 1, 2)
    assert found["best"] is not None
    assert found["best_epoch"] == 0
    assert found["seconds"] is not None
    assert status.seconds_left == pytest.approx(3 * found["seconds"])
    assert status.next == "comp train --fold 0,1"
    assert describe_left(status, " -c a.yaml") == (
        "left: fold 0 from epoch 1 step 1 of 2 epochs, fold 1 from epoch 0 step 0 of 2 epochs\n"
        "next: comp train --fold 0,1 -c a.yaml"
    )


def test_all_done_predicted_and_submitted(config: Config) -> None:
    trained(config)
    status = read_status(config)
    assert [(f.state, f.epochs, f.step) for f in status.folds] == [("done", 2, 0)] * 2
    assert (status.next, status.current, fold(status)["predicted"]) == ("comp ensemble", False, ())
    ensemble(open_experiment(config))
    status = read_status(config)
    assert fold(status)["predicted"] == ("valid", "test")
    assert (status.submission, status.current) == ("submissions/toy_binary.csv", True)
    assert status.next == "done: the submission is written"


def test_more_epochs_make_all_of_it_out_of_date(config: Config, toy: Toy) -> None:
    trained(config)
    ensemble(open_experiment(config))
    more = make_config(toy("binary", train__batch_size=6, train__epochs=3))
    status = read_status(more)
    assert [(f.state, f.epochs, f.of) for f in status.folds] == [("partial", 2, 3)] * 2
    assert status.next == "comp train --fold 0,1"
    train(open_experiment(more), "all")
    status = read_status(more)
    assert [f.state for f in status.folds] == ["done", "done"]
    if status.next == "comp ensemble":  # unless an old epoch stayed the best
        assert not status.current
        assert "valid" not in fold(status)["predicted"] or "valid" not in fold(status, 1)


def test_a_submission_that_was_edited_is_out_of_date(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(config)
    path = ensemble(open_experiment(config)).path
    path.write_text(path.read_text() + "\n")
    status = read_status(config)
    assert (status.current, status.next) == (False, "comp ensemble")
    print_status(status, "", as_json=False)
    assert "submission: submissions/toy_binary.csv  (out of date)" in capsys.readouterr().out


def test_who_holds_a_fold(config: Config) -> None:
    path = trained(config, "1").parent
    hold = "import sys, pathlib, comp.lock as lock\nwith lock.writing(pathlib.Path(sys.argv[1])):\n"
    hold += "    print('held', flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(path / "fold_0")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        status = read_status(config)
        assert str(fold(status)["held"]).startswith(f"{process.pid} on ")
        assert status.next == "wait: every fold that is left is being trained"
        process.communicate()
    assert fold(read_status(config))["held"] is None


def test_another_config(config: Config, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    trained(config, "0")
    other = read_status(make_config(toy("binary", train__batch_size=6, train__lr=0.5)))
    assert fold(other)["changed"] == ("train.lr",)
    assert other.next.startswith("fold 0 was begun with another config: go back to that, or use")
    print_status(other, "", as_json=False)
    assert "begun with another config: train.lr" in capsys.readouterr().out


def test_another_plan(config: Config, toy: Toy) -> None:
    trained(config, "0")
    again = make_config(toy("binary", train__batch_size=6, seed=7))
    make_folds(open_experiment(again), replace=True)
    status = read_status(config)
    assert (fold(status)["state"], fold(status, 1)["state"]) == ("stale", "missing")
    assert str(fold(status)["note"]).startswith("trained with plan ")
    assert "begun with another plan" in status.next


@pytest.mark.parametrize(
    ("name", "state", "note"),
    [
        ("done.json", "damaged", "done.json is damaged: `comp train` makes it again"),
        ("best.pt", "damaged", "best.pt is missing or torn"),
        ("last.pt", "done", "last.pt is torn: last.1.pt is used"),
        ("history.csv", "done", None),
        ("log.txt", "done", None),
        ("config.yaml", "done", None),
        ("lock", "done", None),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\xff\x00{\n,\xfe"], ids=["empty", "noise"])
def test_damaged_files(
    config: Config, name: str, state: str, note: str | None, content: bytes
) -> None:
    path = trained(config)
    (path / name).write_bytes(content)
    found = fold(read_status(config))
    assert (found["state"], found["note"]) == (state, note)
    json.dumps(found)


def test_two_torn_checkpoints_and_nothing_else(config: Config) -> None:
    path = trained(config, "0")
    for name in ("last.pt", "last.1.pt"):
        (path / name).write_bytes(b"torn")
    for name in ("done.json", "best.pt", "history.csv"):
        (path / name).unlink()
    found = fold(read_status(config))
    assert (found["state"], found["note"]) == ("partial", "last.pt and last.1.pt torn")
    shutil.rmtree(path)
    assert fold(read_status(config))["state"] == "missing"


def test_the_hours_that_were_granted_end_with_what_is_left(config: Config) -> None:
    assert Stop(1.0).left is not None
    assert Stop().left is None


def test_status_is_there_without_torch() -> None:
    check = (
        "import sys\n"
        "import comp.stages.status, comp.report.status\n"
        "heavy = {'torch', 'numpy', 'pandas', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_looking_does_not_take_the_lock(config: Config) -> None:
    path = trained(config, "0")
    read_status(config)
    with lock.writing(path):
        pass
