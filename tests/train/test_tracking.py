"""Trackers, with stand-ins for the packages that hear them."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from toys import toy_tree
from train_jobs import Killed, kill_at, make_job

from comp.config.loading import make_config
from comp.config.workspace import RunDir
from comp.core.errors import ConfigError
from comp.train import loop
from comp.train.loop import train_fold
from comp.train.sessions import note_session
from comp.train.tracking import open_tracker


def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What stand-ins for TensorBoard and W&B receive."""
    calls: list[tuple[Any, ...]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            calls.append(("open", Path(folder).name, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            calls.append((name, step))

        def flush(self) -> None:
            pass

        def close(self) -> None:
            calls.append(("close",))

    class Run:
        step = 0  # offline; of a run that the site knows, the first that it does not have

        def log(self, row: dict[str, float], step: int) -> None:
            calls.extend((name, step) for name in row)

        def finish(self) -> None:
            calls.append(("close",))

    def init(**given: Any) -> Run:
        calls.append(("open", given["id"], given["resume"]))
        return Run()

    class Refused(Exception):
        """What W&B raises where nobody is logged in."""

    board, bees = ModuleType("torch.utils.tensorboard"), ModuleType("wandb")
    bees.errors = SimpleNamespace(Error=Refused)  # type: ignore[attr-defined]
    board.SummaryWriter = Writer  # type: ignore[attr-defined]
    bees.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setitem(sys.modules, "wandb", bees)
    return calls


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_resumed_run_is_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    calls = heard(monkeypatch)
    job = make_job(tmp_path / "run", train__track=name, train__epochs=3)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, 3)
        train_fold(job)
    train_fold(job)
    opened = [call for call in calls if call[0] == "open"]
    received = [call[1] for call in calls if call[0] == "macro_f1"]
    if name == "wandb":  # what it received before may have died with its process
        assert opened[0] == opened[1]
        assert opened[0][2] == "allow"
        assert received == [1, 1, 2, 3]
    else:
        assert opened == [("open", "tensorboard", 1), ("open", "tensorboard", 2)]
        assert received == [1, 2, 3]
    assert {call[0] for call in calls} == {
        *("open", "lr", "train_loss", "valid_loss", "macro_f1", "close")
    }
    assert calls.count(("close",)) == 2


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    config = make_config(toy_tree("multiclass", train__track=name))
    with (
        pytest.raises(ConfigError, match=rf"train\.track: {name} is not installed; `pip install"),
        open_tracker(config, RunDir(tmp_path), []),
    ):
        pass


def test_an_epoch_whose_checkpoint_was_not_written_is_told_again_and_the_first_one_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = heard(monkeypatch)
    job = make_job(tmp_path / "run", train__track="tensorboard", train__epochs=2)

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "save_last", die)
        train_fold(job)
    train_fold(job)
    received = [call[1:] for call in calls if call[0] in ("open", "macro_f1")]
    assert received == [("tensorboard", 1), (1,), ("tensorboard", 1), (1,), (2,)]


def test_a_tracker_that_is_asked_for_later_is_told_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = heard(monkeypatch)
    train_fold(make_job(tmp_path / "run", train__epochs=2))
    train_fold(make_job(tmp_path / "run", train__epochs=3, train__track="tensorboard"))
    assert [call[1] for call in calls if call[0] == "macro_f1"] == [1, 2, 3]


def test_wandb_is_not_told_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = heard(monkeypatch)
    config = make_config(toy_tree("multiclass", train__track="wandb"))
    monkeypatch.setattr(sys.modules["wandb"].init(id="", resume="").__class__, "step", 2)
    with open_tracker(config, RunDir(tmp_path), [{"epoch": n, "lr": 0.1} for n in range(3)]):
        pass
    assert [call for call in calls if call[0] == "lr"] == [("lr", 2), ("lr", 3)]


def test_a_fold_that_is_started_over_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = heard(monkeypatch)
    run = RunDir(tmp_path / "fold_0")
    config = make_config(toy_tree("multiclass", train__track="wandb"))
    for pid in (1, 1, 2, 2):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        note_session(run, 0, 0, "cpu")
        with open_tracker(config, run, []):
            pass
        if (pid, len(calls)) == (1, 4):
            run.clear()
    first, again, other, resumed = [call[1] for call in calls if call[0] == "open"]
    assert first == again != other == resumed


def test_wandb_without_a_login_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(monkeypatch)
    bees: Any = sys.modules["wandb"]

    def refuse(**_: Any) -> None:
        raise bees.errors.Error("No API key configured.")

    monkeypatch.setattr(bees, "init", refuse)
    config = make_config(toy_tree("multiclass", train__track="wandb"))
    with (
        pytest.raises(ConfigError, match=r"wandb cannot start: No API key .*WANDB_MODE=offline"),
        open_tracker(config, RunDir(tmp_path), []),
    ):
        pass
