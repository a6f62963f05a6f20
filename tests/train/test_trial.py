"""What cannot be trained is told before the first step, and the trial leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from train_jobs import make_job

from comp.core.errors import CompError, ConfigError, ModelError, TrainError
from comp.train import loop, trial
from comp.train.batches import make_loader
from comp.train.job import Job
from comp.train.train_state import TrainState, new_state
from comp.train.trial import try_out


def begun(job: Job, micro_batch: int | None = None) -> tuple[TrainState, Any]:
    loader = make_loader(job, 0)
    return new_state(job, len(loader), micro_batch or job.config.train.batch_size), loader


class Inner(nn.Module):
    """Stands for a network that fails with a text, or has a BatchNorm of one value per channel."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.text, self.norm, self.head = text, nn.BatchNorm1d(3), nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.text:
            raise RuntimeError(self.text)
        out: torch.Tensor = self.head(self.norm(images.mean(dim=(2, 3))))
        return out


def test_the_trial_changes_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path, model__name="resnet10t", augment__mixup=0.5)
    state, loader = begun(job)
    before = {k: v.clone() for k, v in state.net.module.state_dict().items()}
    drawn = torch.get_rng_state()
    try_out(job, state, loader)
    after = state.net.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in after)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in state.net.module.parameters())
    assert (state.updates, state.epoch, state.step, float(state.loss_sum.sum())) == (0, 0, 0, 0)


def test_a_run_ends_with_the_same_weights_with_and_without_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for part in ("with", "without"):
        job = make_job(tmp_path / part, model__name="resnet10t", train__ema=0.9, train__epochs=2)
        manifest = loop.train_fold(job)
        made.append((manifest["best_sha256"], manifest["last_sha256"]))
        monkeypatch.setattr(loop, "try_out", lambda *_: None)
    assert made[0] == made[1]


def test_a_fold_that_was_resumed_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path)
    state, loader = begun(job)
    state.updates = 1
    monkeypatch.setattr(trial, "backward", lambda *_: pytest.fail("tried"))
    try_out(job, state, loader)


@pytest.mark.parametrize(
    ("batch", "micro", "few"),
    [(4, 4, 4), (5, 5, 3), (8, 8, 5), (8, 4, 2), (8, 3, 2), (13, 13, 13), (6, 1, 1), (1, 1, 1)],
)
def test_the_smallest_part_of_an_epoch_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, micro: int, few: int
) -> None:
    """Of 13 images; a last batch of one image is left out."""
    job = make_job(tmp_path, train__batch_size=batch, train__micro_batch=micro)
    state, loader = begun(job, micro)
    seen: list[int] = []
    monkeypatch.setattr(
        trial, "backward", lambda j, s, part, truth, share, aux: seen.append(len(part))
    )
    try_out(job, state, loader)
    assert seen == [few]


@pytest.mark.parametrize(
    ("over", "error", "message"),
    [
        (
            {"model__name": "inception_v3", "image__size": 24},
            ModelError,
            r"inception_v3 cannot be trained on images of 24 px \(.*too small.*"
            r"Sizes near it that work: 80 \(image.size\)",
        ),
        (
            {"model__name": "resnet10t", "train__batch_size": 1},
            ModelError,
            r"resnet10t cannot be trained on 1 image at a time: .*batch_size.* to 2 or more",
        ),
    ],
    ids=["too deep", "one image"],
)
def test_a_network_that_cannot_be_trained_is_one_clear_error(
    tmp_path: Path, over: dict[str, Any], error: type[CompError], message: str
) -> None:
    job = make_job(tmp_path, **over)
    with pytest.raises(error, match=message):
        loop.train_fold(job)
    assert not [*tmp_path.glob("*.pt")]


def test_deeplab_with_one_image_at_a_time_is_refused(tmp_path: Path) -> None:
    over = {"model__name": "deeplabv3plus", "model__encoder": "resnet18"}
    job = make_job(tmp_path, "segmentation", train__micro_batch=1, **over)
    with pytest.raises(ModelError, match="deeplabv3plus cannot be trained on 1 image at a time"):
        loop.train_fold(job)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but",
            ConfigError,
            "train.deterministic: true is not possible with .*: adaptive_avg_pool2d_backward_cuda",
        ),
        (
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
            TrainError,
            "out of memory with 5 images at a time: .*Use a smaller image.size",
        ),
        ("something else", ModelError, r"fails in a trial step .*RuntimeError: something else"),
    ],
)
def test_what_a_network_raises_is_put_in_words(
    tmp_path: Path, text: str, error: type[CompError], message: str
) -> None:
    job = make_job(tmp_path, train__batch_size=8)
    state, loader = begun(job)
    state.net.module = Inner(text)
    with pytest.raises(error, match=message):
        try_out(job, state, loader)


def test_a_trial_that_failed_leaves_no_trace_either(tmp_path: Path) -> None:
    class Spoiling(Inner):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            super().forward(images)
            raise RuntimeError("late")

    job = make_job(tmp_path)
    state, loader = begun(job)
    state.net.module = module = Spoiling()
    drawn = torch.get_rng_state()
    with pytest.raises(ModelError, match="late"):
        try_out(job, state, loader)
    assert module.norm.num_batches_tracked == 0
    assert torch.equal(torch.get_rng_state(), drawn)


def test_out_of_memory_is_answered_as_in_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("full")

    job = make_job(tmp_path)
    monkeypatch.setattr(trial, "backward", full)
    with pytest.raises(torch.OutOfMemoryError):
        try_out(job, *begun(job))


@pytest.mark.parametrize(("size", "told"), [(24, True), (32, False)])
def test_a_border_that_patches_leave_out_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int, told: bool
) -> None:
    job = make_job(tmp_path, model__name="vit_tiny_patch16_224", image__size=size)
    trial._note_border(job, begun(job)[0].net.module)
    note = "of 24 px, 8 at the border are not seen. image.size 16 or 32 is seen whole"
    assert (note in capsys.readouterr().err) is told
