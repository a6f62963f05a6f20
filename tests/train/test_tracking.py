"""Trackers, with stand-ins for the packages that hear them."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_loop import Killed, kill_at, make_job
from toys import toy_tree

from comp.config import make_config
from comp.errors import ConfigError
from comp.runs import RunDir
from comp.train.loop import train_fold
from comp.train.tracking import open_tracker


def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What stand-ins for TensorBoard and W&B are told."""
    calls: list[tuple[Any, ...]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            calls.append(("open", Path(folder).name, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            calls.append((name, step))

        def flush(self) -> None:
            pass

        def close(self) -> None:
            calls.append(("close",))

    class Run:
        def log(self, row: dict[str, float], step: int) -> None:
            calls.extend((name, step) for name in row)

        def finish(self) -> None:
            calls.append(("close",))

    def init(**given: Any) -> Run:
        calls.append(("open", given["id"], given["resume"]))
        return Run()

    board, bees = ModuleType("torch.utils.tensorboard"), ModuleType("wandb")
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
    if name == "wandb":
        assert opened[0] == opened[1]
        assert opened[0][2] == "allow"
    else:
        assert opened == [("open", "tensorboard", 1), ("open", "tensorboard", 2)]
    assert [call[1] for call in calls if call[0] == "macro_f1"] == [1, 2, 3]
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
        open_tracker(config, RunDir(tmp_path), 0),
    ):
        pass
