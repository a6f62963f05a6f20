"""`train.micro_batch: auto`: found once by trial, remembered in the run."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cards import Card, Memory
from train_jobs import Killed, kill_at, make_job, weights

from comp.config.schema import TrainConfig
from comp.core.errors import TrainError
from comp.data.loader.batched.resident import Resident
from comp.models.networks import Net
from comp.train.aux import AuxColumn
from comp.train.batches import make_loader
from comp.train.checkpoints import checkpoint
from comp.train.hardware import micro
from comp.train.hardware.copies import on_device
from comp.train.hardware.micro import most_images
from comp.train.hardware.tensors import tensor_bytes
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.optim import state_to_come
from comp.train.train_state import new_state
from comp.train.trial import as_it_was, forward_and_back


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


def large(path: Path, times: int = 5, **over: Any) -> Job:
    """A fold whose images, so many times as wide and high, take more room than its weights."""
    job = make_job(path, **{"train__epochs": 1, "train__ema": 0.9, **over})
    return replace(job, images=job.images.repeat(times, axis=1).repeat(times, axis=2))


def trial(job: Job) -> None:
    """What a whole batch takes, without what an optimizer keeps."""
    state = new_state(job, 10, 8)
    loader = make_loader(job, 0)
    images, target = next(on_device(loader, job.device, 0))
    with as_it_was(state):
        forward_and_back(job, state, images, target)


def test_the_trial_leaves_room_for_what_the_optimizer_keeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = {"train__epochs": 2}  # the moments are there from the second whole batch on
    job = large(tmp_path / "run" / "fold_0", train__micro_batch="auto", **two)
    with Memory() as seen:
        trial(job)
    weights = sum(p.numel() * 4 for p in new_state(job, 1, 8).net.module.parameters())
    with Memory(seen.peak + weights):  # a whole batch fits, and not beside two moments
        train_fold(job)
    said = capsys.readouterr().err
    assert "more does not fit, found by trial" in said
    assert "out of device memory" not in said, "the moments found no room in the first update"


@pytest.mark.parametrize(
    ("opt", "states"), [("sgd", 1), ("adamw", 2), ("adan", 4), ("adafactor", 0), ("lion", 1)]
)
def test_room_is_left_for_the_states_that_an_optimizer_has(
    tmp_path: Path, opt: str, states: int
) -> None:
    """Measured with the optimizer itself; the momentum of fused SGD is there from the start."""
    job = make_job(tmp_path, train__opt=opt)
    state = new_state(job, 10, 8)
    weights = sum(p.numel() * 4 for p in state.net.module.parameters())
    there = tensor_bytes(state.optimizer.state_dict()["state"])
    coming = sum(state_to_come(state.optimizer, job.config.train))
    assert (there + coming) / weights == pytest.approx(states, abs=0.03)
    assert there == (weights if opt == "sgd" else 0)


def test_room_is_left_for_what_learns_and_nothing_else(tmp_path: Path) -> None:
    """Frozen weights have no states, those of auxiliary columns have."""
    values = np.arange(26, dtype=np.float32) % 3
    job = replace(
        make_job(tmp_path, train__weight_decay=0.0), aux=(AuxColumn("a", "ce", 0.5, values, 3),)
    )
    state = new_state(job, 10, 8)
    assert state.aux is not None
    head, aux = state.net.module.get_submodule("fc"), [*state.aux.parameters()]
    for value in state.net.module.parameters():
        value.requires_grad_(False)
    learns = [*head.requires_grad_(True).parameters(), *aux]
    coming = sum(state_to_come(state.optimizer, job.config.train))
    assert coming == pytest.approx(sum(2 * 4 * value.numel() for value in learns), rel=0.01)


def test_a_try_that_fails_gives_its_memory_back_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the next, and when the error no longer holds its tensors."""
    seen, given = small(monkeypatch, 2), list[Any]()

    def free() -> None:
        seen.append(0)
        given.append(sys.exc_info()[0])

    monkeypatch.setattr(micro, "free_memory", free)
    job = auto(tmp_path / "run" / "fold_0")
    micro.choose_micro_batch(job, new_state(job, 10, 8), make_loader(job, 0))
    assert seen == [8, 0, 4, 0, 2]
    assert given == [None, None]


def test_a_full_card_is_given_fewer_images_and_trains_to_the_end(
    tmp_path: Path, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    times = 20 if card.real else 5  # there, memory is given in pieces of some MB
    how = {"times": times, "device": card.device(deterministic=True)}
    whole = card.peak(lambda: train_fold(large(tmp_path / "whole" / "fold_0", **how)))
    two = large(tmp_path / "two" / "fold_0", **how, train__micro_batch=2)
    small = card.peak(lambda: train_fold(two))
    assert small < whole
    job = large(tmp_path / "full" / "fold_0", **how)
    with card.with_memory(small + (whole - small) // 4):
        train_fold(job)
    assert "out of device memory; continuing with 4 images at a time" in capsys.readouterr().err
    assert checkpoint.load(job.run.last)["micro"] < 8


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


OF_TRAIN: dict[str, Any] = {
    "batch_size": 6,
    "opt": "sgd",
    "ema": 0.9,
    "loss": "focal",
    "precision": "bf16",
    "compile": "on",
    "deterministic": True,
    "grad_checkpointing": True,
    "freeze_epochs": 1,
    "teacher": {"run": "other"},
    "pseudo": {"name": "other"},
}


def test_all_of_train_that_changes_the_memory_is_tried_here() -> None:
    assert set(OF_TRAIN) == set(micro._OF_TRAIN)


@pytest.mark.parametrize(
    "over",
    [
        *[{f"train__{name}": value} for name, value in OF_TRAIN.items()],
        {"image__channels": 1},
        {"image__bits": 16},
        {"image__size": 32},
        {"image__bag_size": 3},
        {"augment__mixup": 0.5},
        {"model__drop_rate": 0.1},
        {"data__bag": "patient"},
        "images that stay on the device",
        "auxiliary columns",
    ],
    ids=str,
)
def test_what_changes_the_memory_of_a_step_is_a_new_number(tmp_path: Path, over: Any) -> None:
    plain = auto(tmp_path / "run" / "fold_0")
    micro.remember(plain, 4)
    if over == "images that stay on the device":
        job = replace(plain, resident=Resident(plain.images, torch.device("cpu")))
    elif over == "auxiliary columns":
        job = replace(plain, aux=(AuxColumn("a", "ce", 0.5, np.zeros(26, np.float32), 3),))
    else:
        job = auto(tmp_path / "run" / "fold_0", **over)
    assert micro._remembered(plain) == 4
    assert micro._remembered(job) is None
    assert micro._remembered(auto(tmp_path / "run" / "fold_1", fold=1, train__lr=0.5)) == 4


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
