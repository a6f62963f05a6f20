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

from comp.config.loading import make_config
from comp.config.schema import Config
from comp.core import locks
from comp.core.errors import Interrupted
from comp.report.console.status import describe_left, print_status
from comp.stages import train as stage
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.status import Status, read_status
from comp.stages.train import train
from comp.train import loop

Toy = Callable[..., dict[str, Any]]
FOLD = Path("runs/toy_binary/fold_0")


def fold(status: Status, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = status.plain()["folds"][number]
    return found


def stopped(config: Config, monkeypatch: pytest.MonkeyPatch, updates: int) -> Path:
    """Fold 0 stopped by a signal after so many updates; its folder."""
    real, calls = loop.update, iter(range(10**6))

    def update(job: Any, *rest: Any) -> None:
        real(job, *rest)
        if next(calls) == updates - 1:
            job.stop.signal = 2

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "update", update)
        train(open_experiment(config), "0")
    return open_experiment(config).workspace.fold(0).path


def test_nothing_yet(planned: Toy) -> None:
    shutil.rmtree("folds")
    status = read_status(make_config(planned()))
    assert (status.plan, status.plan_note, status.next) == (None, None, "comp folds make")
    assert [f.state for f in status.folds] == ["missing", "missing"]
    assert status.seconds_left is None


def test_a_plan_and_no_training(planned: Toy) -> None:
    status = read_status(make_config(planned()))
    about = json.loads(Path("folds/toy_binary.json").read_text())
    assert (status.plan, status.next) == (about["fingerprint"], "comp train --fold 0,1")


def test_a_plan_that_is_not_whole(planned: Toy) -> None:
    path = Path("folds/toy_binary.json")
    path.write_text("{")
    torn = read_status(make_config(planned()))
    path.unlink()
    for status in (torn, read_status(make_config(planned()))):
        assert (status.plan, status.next) == (None, "comp folds make")
        assert str(status.plan_note).startswith("the plan is not whole (folds/toy_binary.csv")


def test_a_fold_that_stopped_inside_an_epoch(planned: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(planned())
    stopped(config, monkeypatch, 3)
    status = read_status(config)
    found = fold(status)
    assert (found["state"], found["epochs"], found["step"], found["of"]) == ("partial", 1, 1, 2)
    assert found["best"] is not None
    assert found["best_epoch"] == 1
    assert found["seconds"] is not None
    assert status.seconds_left == pytest.approx(3 * found["seconds"])
    assert status.next == "comp train --fold 0,1"
    assert describe_left(status, " -c a.yaml") == (
        "left: fold 0 from epoch 2 step 1 of 2 epochs, fold 1 from epoch 1 step 0 of 2 epochs\n"
        "next: comp train --fold 0,1 -c a.yaml"
    )


def test_all_done_predicted_and_submitted(finished: Toy) -> None:
    status = read_status(make_config(finished()))
    assert [(f.state, f.epochs, f.step) for f in status.folds] == [("done", 2, 0)] * 2
    assert fold(status)["predicted"] == ("valid", "test")
    assert (status.submission, status.current) == ("submissions/toy_binary.csv", True)
    assert status.next == "done: the submission is written"
    shutil.rmtree("submissions")
    status = read_status(make_config(finished()))
    assert (status.submission, status.current, status.next) == (None, False, "comp ensemble")


def test_more_epochs_are_not_done_yet(finished: Toy) -> None:
    status = read_status(make_config(finished(train__epochs=3)))
    assert [(f.state, f.epochs, f.of) for f in status.folds] == [("partial", 2, 3)] * 2
    assert status.next == "comp train --fold 0,1"


def test_a_fold_that_patience_ended_has_no_time_left(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(toy("binary", train__epochs=30, train__lr=1e-12, train__patience=1))
    experiment = open_experiment(config)
    make_folds(experiment, replace=False)
    later: list[int] = []
    real = stage.train_fold

    def train_fold(job: Any) -> Any:
        later.append(job.stop.later_epochs)
        return real(job)

    monkeypatch.setattr(stage, "train_fold", train_fold)
    train(experiment, "1")
    train(experiment, "0,1")
    assert later == [0, 0]
    status = read_status(config)
    assert [f.state for f in status.folds] == ["done", "done"]
    assert all(f.epochs < 30 for f in status.folds)
    assert status.seconds_left == 0


def test_predictions_of_another_checkpoint_do_not_count(finished: Toy) -> None:
    done = FOLD / "done.json"
    about = json.loads(done.read_text())
    done.write_text(json.dumps({**about, "best_sha256": "0" * 64}))
    status = read_status(make_config(finished()))
    assert (fold(status)["predicted"], fold(status, 1)["predicted"]) == ((), ("valid", "test"))
    assert (status.current, status.next) == (False, "comp ensemble")


def test_a_submission_that_was_edited_is_out_of_date(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("submissions/toy_binary.csv")
    path.write_text(path.read_text() + "\n")
    status = read_status(make_config(finished()))
    assert (status.current, status.next) == (False, "comp ensemble")
    print_status(status, "", as_json=False)
    assert "submission: submissions/toy_binary.csv  (out of date)" in capsys.readouterr().out


def test_who_holds_a_fold(finished: Toy) -> None:
    config = make_config(finished())
    shutil.rmtree(FOLD)
    hold = "import sys, pathlib, comp.core.locks as locks\n"
    hold += "with locks.writing(pathlib.Path(sys.argv[1])):\n"
    hold += "    print('held', flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(FOLD)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        status = read_status(config)
        assert str(fold(status)["held"]).startswith(f"{process.pid} on ")
        assert status.next == "wait: all folds that are left are being trained"
        process.communicate()
    assert fold(read_status(config))["held"] is None


def test_another_config(finished: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    other = read_status(make_config(finished(train__lr=0.5)))
    assert fold(other)["changed"] == ("train.lr",)
    assert other.next.startswith("fold 0 was begun with another config: go back to that, or use")
    print_status(other, "", as_json=False)
    assert "begun with another config: train.lr" in capsys.readouterr().out


def test_another_plan(finished: Toy) -> None:
    shutil.rmtree("runs/toy_binary/fold_1")
    make_folds(open_experiment(make_config(finished(seed=7))), replace=True)
    status = read_status(make_config(finished()))
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
    finished: Toy, name: str, state: str, note: str | None, content: bytes
) -> None:
    (FOLD / name).write_bytes(content)
    found = fold(read_status(make_config(finished())))
    assert (found["state"], found["note"]) == (state, note)
    json.dumps(found)


def test_two_torn_checkpoints_and_nothing_else(finished: Toy) -> None:
    for name in ("last.pt", "last.1.pt"):
        (FOLD / name).write_bytes(b"torn")
    for name in ("done.json", "best.pt", "history.csv"):
        (FOLD / name).unlink()
    found = fold(read_status(make_config(finished())))
    assert (found["state"], found["note"]) == ("damaged", "last.pt and last.1.pt torn")
    shutil.rmtree(FOLD)
    assert fold(read_status(make_config(finished())))["state"] == "missing"


def test_status_is_there_without_torch() -> None:
    check = (
        "import sys\n"
        "import comp.stages.status, comp.report.console.status\n"
        "heavy = {'torch', 'numpy', 'pandas', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_looking_does_not_take_the_lock(finished: Toy) -> None:
    read_status(make_config(finished()))
    with locks.writing(FOLD):
        pass
