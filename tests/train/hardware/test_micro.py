"""`train.micro_batch: auto`: found once by trial, remembered in the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from train_jobs import Killed, kill_at, make_job, weights

from comp.config.schema import TrainConfig
from comp.core.errors import TrainError
from comp.models.networks import Net
from comp.train.checkpoints import checkpoint
from comp.train.hardware import micro
from comp.train.hardware.micro import most_images
from comp.train.job import Job
from comp.train.loop import train_fold


def auto(path: Path, **over: Any) -> Job:
    return make_job(path, train__micro_batch="auto", train__epochs=2, **over)


def small(monkeypatch: pytest.MonkeyPatch, fits: int) -> list[int]:
    """A device on which so many images fit; how many were tried."""
    real, seen = Net.logits, list[int]()

    def logits(self: Net, images: torch.Tensor) -> torch.Tensor:
        if self.module.training:
            seen.append(len(images))
            if len(images) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", logits)
    return seen


def test_what_a_fold_begins_with() -> None:
    assert most_images(TrainConfig(batch_size=8)) == 8
    assert most_images(TrainConfig(batch_size=8, micro_batch="auto")) == 8
    assert most_images(TrainConfig(batch_size=8, micro_batch=4)) == 4


def test_a_whole_batch_that_fits_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, found = make_job(tmp_path / "x" / "a", train__epochs=2), auto(tmp_path / "y" / "a")
    for job in (plain, found):
        train_fold(job)
    assert "fold 0: 8 images at a time (the whole batch fits, found by trial)" in (
        capsys.readouterr().err
    )
    ours, theirs = (checkpoint.load(job.run.last) for job in (found, plain))
    assert ours["micro"] == 8
    for name, value in theirs["model"].items():  # the trial leaves nothing behind
        assert torch.equal(ours["model"][name], value), name


def test_what_fits_is_found_before_the_first_step_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = small(monkeypatch, 4)
    monkeypatch.setattr("comp.train.loop.try_out", lambda *_: None)
    train_fold(auto(tmp_path / "run" / "fold_0"))
    assert seen == [8, 4, *([4, 4, 3, 2] * 2)]
    said = capsys.readouterr().err
    assert "fold 0: 4 images at a time (more does not fit, found by trial)" in said
    assert "out of device memory" not in said
    seen.clear()
    train_fold(auto(tmp_path / "run" / "fold_1", fold=1))
    assert seen == [4, 4, 3, 2] * 2
    assert "fold 1: 4 images at a time (found before, " in capsys.readouterr().err
    given = make_job(tmp_path / "given", train__micro_batch=4, train__epochs=2)
    train_fold(given)
    ours = checkpoint.load(tmp_path / "run" / "fold_0" / "last.pt")
    for name, value in checkpoint.load(given.run.last)["model"].items():
        assert torch.equal(ours["model"][name], value), name


def test_a_resume_takes_the_number_of_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = auto(tmp_path / "a" / "fold_0"), auto(tmp_path / "b" / "fold_0")
    with monkeypatch.context() as patch:
        small(patch, 4)
        train_fold(whole)
        with patch.context() as inner, pytest.raises(Killed):
            kill_at(inner, 3)
            train_fold(broken)
    (tmp_path / "b" / "micro_batch.json").unlink()
    monkeypatch.setattr(micro, "forward_and_back", lambda *_: pytest.fail("tried again"))
    train_fold(broken)  # where there is more memory now
    assert weights(broken.run) == weights(whole.run)


@pytest.mark.parametrize("change", ["another device", "another size", "not JSON", "a list"])
def test_a_number_of_something_else_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "run" / "micro_batch.json"
    train_fold(auto(tmp_path / "run" / "fold_0"))
    known = json.loads(path.read_text())
    path.write_text(json.dumps({**known, "micro_batch": 2}))
    if change == "not JSON":
        path.write_text("{")
    if change == "a list":
        path.write_text("[1, 2]")
    job = auto(tmp_path / "run" / "fold_1", fold=1)
    if change == "another device":
        job = replace(job, device=replace(job.device, precision="bf16"))
    if change == "another size":
        job = auto(tmp_path / "run" / "fold_1", fold=1, train__batch_size=6)
    train_fold(job)
    assert checkpoint.load(job.run.last)["micro"] == job.config.train.batch_size


def test_memory_that_gets_short_later_is_remembered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_fold(auto(tmp_path / "run" / "fold_0"))
    small(monkeypatch, 4)
    train_fold(auto(tmp_path / "run" / "fold_1", fold=1))
    assert json.loads((tmp_path / "run" / "micro_batch.json").read_text())["micro_batch"] == 4


def test_not_even_one_image_is_the_error_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, 0)
    with pytest.raises(TrainError, match="out of device memory with one image at a time"):
        train_fold(auto(tmp_path / "run" / "fold_0"))


def test_another_failure_is_not_a_matter_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(micro, "forward_and_back", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train_fold(auto(tmp_path / "run" / "fold_0"))
