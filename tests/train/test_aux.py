"""Auxiliary targets: learned, known or not, the same in parts, mixed as images are, resumed to the
bit, and absent from the network that answers."""

from __future__ import annotations

import signal
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from train_jobs import make_job

from comp.core.errors import Interrupted, ModelError
from comp.train import loop
from comp.train.aux import AuxColumn, AuxHead, AuxPart, aux_matrix
from comp.train.batches import make_loader
from comp.train.checkpoints import checkpoint
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.stop import Stop
from comp.train.train_state import new_state
from comp.train.update import backward, mixed, settle, update


def columns(job: Job) -> tuple[AuxColumn, ...]:
    """What the images show anyway: their class, and a number that follows it, partly unknown."""
    number = np.arange(len(job.target)) // 2 % (2 if job.task.name == "binary" else 3)
    wide = (10 + 4.0 * number).astype(np.float32)
    wide[::5] = np.nan
    return (
        AuxColumn("site", "ce", 0.5, number.astype(np.float32), 3),
        AuxColumn("age", "mse", 0.25, wide),
    )


def job_with(path: Path, kind: str = "multiclass", **over: Any) -> Job:
    job = make_job(path, kind, **over)
    return replace(job, aux=columns(job))


def test_numbers_are_standardized_by_the_training_rows() -> None:
    values = np.array([1.0, 3.0, np.nan, 100.0], np.float32)
    found = AuxColumn("age", "mse", 1.0, values).scaled(np.array([0, 1, 2]))
    assert found[:2].tolist() == [-1.0, 1.0]
    assert np.isnan(found[2])
    assert found[3] == pytest.approx(98.0)
    assert AuxColumn("site", "ce", 1.0, values, 5).scaled(np.array([0])) is values
    unknown = np.full(3, np.nan, np.float32)
    assert AuxColumn("age", "mse", 1.0, unknown).scaled(np.arange(3)) is unknown


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def test_a_loss_is_the_weighted_sum_over_the_known_images() -> None:
    module = Tiny()
    site = AuxColumn("site", "ce", 0.5, np.zeros(1, np.float32), 2)
    age = AuxColumn("age", "mae", 2.0, np.zeros(1, np.float32))
    head = AuxHead((site, age), module)
    with torch.no_grad():
        head.layer.weight.zero_()
        head.layer.bias.copy_(torch.tensor([0.0, np.log(3.0), 0.25]))
    module(torch.ones(4, 2))
    own = torch.tensor([[0.0, 1.0], [1.0, np.nan], [np.nan, -0.75], [np.nan, np.nan]])
    wanted = 0.5 * (np.log(4) + np.log(4 / 3)) + 2.0 * (0.75 + 1.0)
    assert head.loss(AuxPart(own), 4).item() == pytest.approx(wanted / 4)
    module(torch.ones(1, 2))
    half = AuxPart(own[:1], own[1:2], torch.tensor([0.75]))
    wanted = 0.75 * (0.5 * np.log(4) + 2 * 0.75) + 0.25 * (0.5 * np.log(4 / 3))
    assert head.loss(half, 1).item() == pytest.approx(wanted)


def test_a_network_without_a_last_layer_is_told() -> None:
    with pytest.raises(ModelError, match="no last layer of its own"):
        AuxHead(columns(make_job(Path())), nn.Flatten())


@pytest.mark.parametrize("over", [{}, {"augment__mixup": 0.5, "augment__cutmix": 1.0}])
def test_parts_of_a_batch_add_up_to_its_gradient(tmp_path: Path, over: dict[str, Any]) -> None:
    job = job_with(tmp_path, model__drop_rate=0.0, train__batch_size=6, **over)
    found = []
    for micro in (6, 2):
        state = new_state(job, 3, micro)
        state.net.module.eval()  # BatchNorm sees parts
        images, target = next(iter(make_loader(job, 0).epoch(0)))
        batch, aux = mixed(job, state, images, target)
        assert aux is not None
        parts = 6 // micro
        for (low, high), (part, truth) in zip(batch.places(parts), batch.parts(parts), strict=True):
            backward(job, state, part, truth, (high - low) / 6, (aux.part(low, high), 6))
        assert state.aux is not None
        found.append([state.aux.layer.weight.grad, next(state.net.module.parameters()).grad])
    for whole, parts in zip(*found, strict=True):
        assert whole is not None
        assert whole.abs().max() > 0
        assert torch.allclose(whole, parts, atol=1e-6)


def test_aux_targets_follow_their_images_and_copies(tmp_path: Path) -> None:
    job = job_with(
        tmp_path, augment__copies={"classes": ["x"], "turns": 2}, train__sampler="shuffle"
    )
    matrix = aux_matrix(job.aux, job.train_rows)
    for _, target in make_loader(job, 0).epoch(0):
        assert target.shape[1] == 3 + 2
        assert (target[:, :3].argmax(1) == target[:, 3]).all(), "the class of the image itself"
        known = torch.isfinite(target[:, 4])
        grade = {n: set(matrix[matrix[:, 0] == n, 1]) for n in range(3)}
        for row in target[known]:
            assert any(abs(row[4].item() - v) < 1e-6 for v in grade[int(row[3])])


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression", "multiclass"])
def test_a_network_learns_them_beside_its_answer(tmp_path: Path, kind: str) -> None:
    job = job_with(tmp_path, kind, train__lr=0.01, model__drop_rate=0.0)
    state = new_state(job, 4, 32)
    state.net.module.train()
    assert state.aux is not None
    first = next(iter(make_loader(job, 0).epoch(0)))

    def loss() -> float:
        batch, aux = mixed(job, state, *first)
        state.net.logits(batch.images)
        assert aux is not None
        assert state.aux is not None
        return state.aux.loss(aux, len(first[0])).item()

    before = loss()
    for epoch in range(12):
        state.epoch = epoch
        for step, (images, target) in enumerate(make_loader(job, 0).epoch(epoch)):
            state.step = step
            update(job, state, images, target)
            settle(job, state)
    assert loss() < 0.6 * before


def test_a_fold_ends_the_same_when_it_was_stopped_and_answers_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = job_with(tmp_path / "whole")
    train_fold(whole)
    stop, original, steps = Stop(), loop.update, count(1)

    def stopping(*parts: Any) -> None:
        original(*parts)
        if next(steps) == 3:
            stop.signal = signal.SIGTERM

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "update", stopping)
        train_fold(replace(job_with(tmp_path / "broken"), stop=stop))
    broken = job_with(tmp_path / "broken")
    train_fold(broken)
    first, second = (checkpoint.load(job.run.last) for job in (whole, broken))
    assert first["model"].keys() == second["model"].keys()
    for key, value in first["model"].items():
        assert torch.equal(value, second["model"][key])
    assert torch.equal(first["aux"]["layer.weight"], second["aux"]["layer.weight"])
    plain = make_job(tmp_path / "plain")
    assert first["model"].keys() == new_state(plain, 1, 8).net.module.state_dict().keys()
