"""Resuming a fold: from where it stopped, and only from its own checkpoints."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_jobs import make_job

from comp.config.workspace import RunDir
from comp.core.errors import CompError, RunError
from comp.train.checkpoints import checkpoint, resume
from comp.train.checkpoints.resume import open_state
from comp.train.checkpoints.saving import save_best, save_last
from comp.train.job import Job
from comp.train.train_state import new_state

CONTENT = "a" * 64


@pytest.fixture(scope="module")
def _saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fold that was killed in its second epoch, two checkpoints after the first."""
    folder = tmp_path_factory.mktemp("saved")
    job = make_job(folder, content=CONTENT)
    state = new_state(job, 2, 8)
    state.best = {"epoch": 0, "macro_f1": 0.75, "valid_loss": 1.0}
    state.history = [{"epoch": 0.0, "macro_f1": 0.75}]
    save_best(job, state)
    for step in (0, 1):
        state.epoch, state.step, state.updates = 1, step, 2 + step
        state.schedule.step_update(state.updates)
        save_last(job, state)
    return folder


@pytest.fixture
def folder(_saved: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(_saved, tmp_path / "run"))


def opened(folder: Path, **over: Any) -> Any:
    """The state of the same fold, perhaps with another config."""
    return open_state(make_job(folder, **{"content": CONTENT, **over}), 2, 8)


def test_without_a_checkpoint_a_fold_starts_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.mkdir(exist_ok=True)
    state = opened(tmp_path)
    assert (state.epoch, state.step, state.updates, state.best) == (0, 0, 0, None)
    fresh = new_state(make_job(tmp_path), 2, 8)
    for name, value in fresh.net.module.state_dict().items():
        assert torch.equal(state.net.module.state_dict()[name], value), name
    assert "resumed" not in capsys.readouterr().err


def test_a_resumed_run_says_where_it_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F1."""
    state = opened(folder)
    assert (state.epoch, state.step, state.updates) == (1, 1, 3)
    assert state.history == [{"epoch": 0.0, "macro_f1": 0.75}]
    said = capsys.readouterr().err
    assert said == "fold 0: resumed epoch 2 step 1, lr 0.0015, best 0.7500 (epoch 1)\n"


def test_a_fold_whose_epochs_are_over_is_resumed_after_the_last(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = checkpoint.load(folder / "last.pt")
    checkpoint.save_last({**saved, "epoch": 3, "step": 0, "best": None}, RunDir(folder))
    opened(folder)
    said = capsys.readouterr().err
    assert said.startswith("fold 0: resumed after epoch 3, lr ")
    assert "best" not in said


def test_channel_statistics_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    job = make_job(tmp_path, image__mean="auto", image__std="auto")
    state = new_state(job, 2, 8)
    save_last(job, state)
    darker = replace(job, images=job.images // 2)
    again = open_state(darker, 2, 8).net
    assert (again.mean, again.std) == (state.net.mean, state.net.std)
    other = new_state(darker, 2, 8).net
    assert np.abs(np.array(other.mean) - state.net.mean).min() > 0.01


@pytest.mark.parametrize("footer", [True, False], ids=["a flipped byte", "a cut file"])
def test_a_torn_checkpoint_is_left_for_the_one_before_it_and_removed(
    folder: Path, capsys: pytest.CaptureFixture[str], footer: bool
) -> None:
    """The next save would otherwise put the torn one in the place of the whole one."""
    content = bytearray((folder / "last.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "last.pt").write_bytes(content if footer else content[:-100])
    state = opened(folder)
    assert (state.epoch, state.step, state.updates) == (1, 0, 2)
    assert not (folder / "last.pt").exists()
    said = capsys.readouterr().err
    assert "last.pt: damaged: its content does not match its checksum" in said
    lost = "; lost: up to epoch 2 step 1" if footer else ""
    assert f"; resuming from the one before it, epoch 2 step 0{lost}\n" in said
    save_last(make_job(folder), state)
    assert checkpoint.load_last(RunDir(folder))[1] == []


@pytest.mark.parametrize("change", ["missing", "torn"])
def test_a_lost_best_is_noticed_before_hours_are_spent(folder: Path, change: str) -> None:
    if change == "torn":
        (folder / "best.pt").write_bytes(b"x" * 100)
    else:
        (folder / "best.pt").unlink()
    with pytest.raises(RunError, match=r"(?s)best\.pt: .*in no other file.*--restart"):
        opened(folder)


def test_a_fold_without_a_best_epoch_needs_no_best(folder: Path) -> None:
    saved = checkpoint.load(folder / "last.pt")
    checkpoint.save_last({**saved, "best": None}, RunDir(folder))
    (folder / "best.pt").unlink()
    assert opened(folder).best is None


def test_a_best_under_the_name_of_a_last_is_not_resumed_from(folder: Path) -> None:
    (folder / "last.1.pt").unlink()
    shutil.copy(folder / "best.pt", folder / "last.pt")
    with pytest.raises(RunError, match=r"weights only, nothing to resume from \(no optimizer"):
        opened(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold": 1}, r"made for fold 0 of plan planplan, this is fold 1 of plan planplan"),
        ({"plan": "x" * 64}, r"made for fold 0 of plan planplan, this is fold 0 of plan xxxxxxxx"),
    ],
)
def test_a_checkpoint_of_another_fold_or_plan_is_refused(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    job: Job = replace(make_job(folder, content=CONTENT), **change)
    with pytest.raises(RunError, match=message + r"\. Start the fold over with `comp train --re"):
        open_state(job, 2, 8)


def test_a_changed_config_is_noticed_even_without_the_copy_in_the_folder(folder: Path) -> None:
    with pytest.raises(RunError, match=r"train\.lr: 0\.003 -> 0\.5"):
        opened(folder, train__lr=0.5)


def test_replaced_images_are_noticed(folder: Path) -> None:
    """F25; where the files of one side are not known, nothing can be said."""
    with pytest.raises(RunError, match=r"trained on other image files .*aaaaaaaa, now bbbbbbbb"):
        opened(folder, content="b" * 64)
    assert opened(folder, content="").step == 1


def test_more_epochs_are_said_and_have_their_own_schedule(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = opened(folder, train__epochs=5)
    assert "fold 0: 3 -> 5 epochs; the schedule is that of 5\n" in capsys.readouterr().err
    straight = new_state(make_job(folder, train__epochs=5), 2, 8)
    straight.schedule.step_update(3)
    assert state.current_lr() == straight.current_lr()
    assert state.current_lr() > opened(folder).current_lr()


def test_other_versions_are_told_and_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """F50."""
    now = resume.versions()
    monkeypatch.setattr(resume, "versions", lambda: {**now, "torch": "9.9"})
    assert opened(folder).step == 1
    said = capsys.readouterr().err
    assert f"fold 0: torch was {now['torch']} and is 9.9\n" in said
    assert said.count(" was ") == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_a_disk_without_room_for_checkpoints_is_found_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CompError, match=r"need about \d+\.\d MB, 0\.0 MB are free\. Make room"):
        opened(tmp_path / "empty" if fresh else folder)
