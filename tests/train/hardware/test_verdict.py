"""A step waits for nothing: the verdict on it is found on the device and read one step late."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cards import Card, Waits
from train_jobs import make_job

from comp.core.errors import TrainError
from comp.inference.views import views_of
from comp.models import device as device_module
from comp.models.device import Device
from comp.models.networks import Net
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import as_soft
from comp.train import mixing
from comp.train.aux import AuxColumn
from comp.train.batches import make_loader
from comp.train.hardware.copies import on_device
from comp.train.hardware.verdict import Verdict, is_finite, not_finite, to_cpu
from comp.train.train_state import TrainState, new_state
from comp.train.update import MAX_OVERFLOWS, mixed, settle, update

IMAGES = torch.randint(
    0, 256, (8, 24, 24, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
TARGET = torch.arange(8) % 3


@pytest.mark.parametrize(
    ("kind", "over"),
    [
        ("multiclass", {"train__ema": 0.9, "train__clip_grad": 1.0, "augment__mixup": 0.5}),
        ("multiclass", {"augment__cutmix": 1.0, "augment__erasing": 0.5, "train__loss": "focal"}),
        ("multilabel", {"train__micro_batch": 4, "train__opt": "sgd", "train__loss": "focal"}),
        ("binary", {"train__pos_weight": "auto"}),
        ("multiclass", {"train__loss": {"soft_f1": 1.0, "asymmetric": 1.0}}),
        # without Dice, whose one_hot looks at the numbers, on a CPU only
        ("segmentation", {"train__class_weights": "inverse", "train__loss": "ce"}),
        ("multilabel_segmentation", {"train__loss": {"bce": 1.0, "dice": 1.0}}),
    ],
)
def test_a_step_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, over: dict[str, Any]
) -> None:
    job = make_job(tmp_path, kind, **over)
    state = new_state(job, 10, over.get("train__micro_batch", 8))
    images, target = next(batches(job))
    update(job, state, images, target)
    read: list[Verdict] = []
    real = Verdict.read
    monkeypatch.setattr(Verdict, "read", lambda self: (read.append(self), real(self))[1])
    with Waits() as seen:
        for step in (1, 2):
            state.step = step
            update(job, state, images, target)
    assert seen.waits == []
    assert [verdict.step for verdict in read] == [0, 1]  # one step late
    assert state.updates == 2
    assert settle(job, state)
    assert state.updates == 3


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression", "ordinal"])
def test_nothing_that_hangs_on_images_is_waited_for(tmp_path: Path, kind: str) -> None:
    """Weights, auxiliary columns and the answers of a teacher, mixed; some cells are unknown."""
    numbers = kind == "regression"
    over = {"augment__mixup": 0.5, "augment__cutmix": 0.5, "augment__erasing": 0.5}
    job = make_job(tmp_path, kind, train__micro_batch=4, **over)
    count = len(job.images)
    values = np.arange(count, dtype=np.float32) % 3
    site, age = AuxColumn("site", "ce", 0.5, values, 3), AuxColumn("age", "mse", 0.5, values)
    target = job.target.copy()
    if kind == "multilabel":
        target[::4, 0] = UNKNOWN
    job = replace(job, aux=(site, age), weights=values + 1, target=target)
    if not numbers:
        soft = np.full((count, job.columns), 1 / job.columns, dtype=np.float32)
        job = replace(job, soft=np.where(as_soft(target, job.columns) == UNKNOWN, UNKNOWN, soft))
    state, loader = new_state(job, 10, 4), make_loader(job, 0)
    state.net.module.train()
    (images, learned), weights = next(loader.epoch(0)), next(loader.weights(0))
    update(job, state, images, learned, weights)
    with Waits() as seen:
        for state.step in (1, 2):
            update(job, state, images, learned, weights)
    assert seen.waits == []
    assert settle(job, state)


def batches(job: Any) -> Any:
    return make_loader(job, 0).epoch(0)


@pytest.mark.parametrize(
    "over",
    [
        {"augment__mixup": 0.5, "augment__cutmix": 0.5, "augment__erasing": 0.5},
        {"train__micro_batch": 4, "train__clip_grad": 1.0},
    ],
)
def test_all_that_a_step_sends_to_another_device_goes_through_pinned_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: dict[str, Any]
) -> None:
    """On `meta`, a device without numbers: whoever asks for one there fails."""
    job = make_job(
        tmp_path, device=Device(torch.device("meta"), "fp32", None, scaled=False), **over
    )
    state = new_state(job, 10, 8)
    state.__dict__["leaves_out"] = True  # as fused optimizers do, which `meta` has not
    monkeypatch.setattr(state.optimizer, "step", lambda: None)
    sent: list[torch.Tensor] = []
    real = device_module.send

    def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
        if tensor.device != device:
            sent.append(tensor)
        return real(tensor, device)

    monkeypatch.setattr(device_module, "send", send)
    monkeypatch.setattr(mixing, "send", send)
    update(job, state, IMAGES, TARGET)  # constants are sent once
    state.verdict = None
    sent.clear()
    with Waits() as seen:
        update(job, state, IMAGES, TARGET)
    assert seen.waits == []
    assert len(seen.copies) == len(sent) <= 8


def spoilt(monkeypatch: pytest.MonkeyPatch, bad: set[tuple[int, int]], at: Any) -> None:
    """Make the logits NaN at some places (epoch, step); `at` says where a job stands."""
    real = Net.logits

    def logits(self: Net, images: torch.Tensor) -> torch.Tensor:
        out = real(self, images)
        return out * float("nan") if self.module.training and at() in bad else out

    monkeypatch.setattr(Net, "logits", logits)


@pytest.mark.parametrize("opt", ["adamw", "sgd", "lion"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_verdict_that_is_read_late_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opt: str, ema: float | None
) -> None:
    """With the verdict at once, and one step late; the first, a middle and the last are bad."""
    ends = []
    for late in (False, True):
        job = make_job(tmp_path, train__opt=opt, train__ema=ema, train__lr=0.01)
        state = new_state(job, 7, 8)
        with monkeypatch.context() as patch:
            spoilt(patch, {(0, 0), (0, 3), (0, 6)}, lambda s=state: (s.epoch, s.step))
            state.net.module.train()
            for step in range(7):
                state.step = step
                update(job, state, IMAGES, TARGET)
                if not late:
                    settle(job, state)
            settle(job, state)
        assert (state.updates, state.skipped) == (4, 3)
        saved = state.saved()
        ends.append([saved["model"], saved["ema"], saved["loss_sum"], saved["rate"]])
        assert all(torch.isfinite(value).all() for value in saved["model"].values())
    for ours, theirs in itertools.islice(zip(*ends, strict=True), 2):
        for name in ours or {}:
            assert torch.equal(ours[name], theirs[name]), name
    assert torch.equal(ends[0][2], ends[1][2])
    assert ends[0][3] == ends[1][3]


def fp16(job: Any) -> TrainState:
    """A state whose losses are scaled."""
    state = new_state(job, 100, 8)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    return state


def test_an_overflow_in_fp16_is_told_and_nothing_advances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, train__ema=0.9)
    state = fp16(job)
    before = {name: value.clone() for name, value in state.net.module.state_dict().items()}
    state.net.module.get_parameter("fc.weight").register_hook(lambda grad: grad * float("inf"))
    update(job, state, IMAGES, TARGET)
    assert not settle(job, state)
    assert (state.updates, state.skipped, state.overflows) == (0, 0, 1)
    assert state.scaler.get_scale() == 512
    for name, value in state.net.module.state_dict().items():
        assert torch.equal(value, before[name]), name
    said = "fp16: the gradient overflowed in epoch 1 step 1; the scale is now 512"
    assert said in capsys.readouterr().err
    state.overflows = MAX_OVERFLOWS
    update(job, state, IMAGES, TARGET)
    with pytest.raises(TrainError, match=r"overflowed 61 times in a row.*precision=fp32"):
        settle(job, state)


@pytest.mark.parametrize("opt", ["adamw", "lion"])
def test_the_update_after_an_overflow_in_fp16_is_made_as_without_it(
    tmp_path: Path, opt: str
) -> None:
    """The overflow is read when the next update has its gradient already, of the old scale."""
    ends = []
    for overflows in (True, False):
        job = make_job(tmp_path, train__opt=opt)
        state = fp16(job)
        weight = state.net.module.get_parameter("fc.weight")
        if overflows:
            hook = weight.register_hook(lambda grad: grad * float("inf"))
            update(job, state, IMAGES, TARGET)
            hook.remove()
            state.step = 1
            update(job, state, IMAGES, TARGET)
        else:
            state.step = 1
            state.scaler.scale(torch.zeros(()))  # it begins with its first use
            state.scaler.update(512.0)  # what the overflow makes of it
            update(job, state, IMAGES, TARGET)
        assert settle(job, state)
        assert (state.updates, state.overflows) == (1, 0)
        ends.append({name: value.clone() for name, value in state.net.module.state_dict().items()})
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name


def test_verdicts() -> None:
    good, bad = torch.tensor([1.0, 2.0]), torch.tensor([1.0, float("nan")])
    assert (not_finite(good).item(), not_finite(bad).item()) == (0.0, 1.0)
    assert to_cpu(good, None) == (good, None)
    verdict = Verdict(0, 3, 0.1, bad, [])
    assert not is_finite(verdict.read())
    assert verdict.read()[0] == 1.0


def test_a_verdict_waits_for_its_numbers_to_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    class Event:
        order: list[str] = []  # noqa: RUF012

        def record(self) -> None:
            self.order.append("record")

        def synchronize(self) -> None:
            self.order.append("synchronize")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    host, event = to_cpu(torch.tensor([1.0, 2.0]), torch.zeros(2))
    assert Verdict(0, 0, 0.1, host, [], event).read() == (1.0, 2.0)
    assert Event.order == ["record", "synchronize"]


def test_torch_sees_no_wait_in_a_step(tmp_path: Path, card: Card) -> None:
    over = {"train__ema": 0.9, "augment__mixup": 0.5, "train__clip_grad": 1.0}
    job = make_job(tmp_path, device=card.device(), augment__recipe="light", **over)
    state, loader = new_state(job, 10, 8), make_loader(job, 0)
    state.net.module.train()
    for epoch in range(2):
        # waits may be in the first epoch: kernels are chosen, memory is got
        with card.nobody_waits() if epoch else contextlib.nullcontext():
            for images, target in on_device(loader, job.device, epoch):
                update(job, state, images, target)
                state.step += 1
    assert settle(job, state)
    assert state.updates == 2 * len(loader)


def test_a_card_trains_in_fp16_and_an_overflow_leaves_no_trace(
    tmp_path: Path, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, device=card.device("fp16"), train__ema=0.9)
    state = new_state(job, 10, 8)
    state.net.module.train()
    assert state.scaler.is_enabled()
    state.scaler = torch.amp.GradScaler(card.place.type, init_scale=256.0)  # nothing overflows
    for state.step in range(3):
        update(job, state, IMAGES, TARGET)
    assert settle(job, state)
    assert state.updates == 3
    before = {name: value.clone() for name, value in state.net.module.state_dict().items()}
    scale, updates = state.scaler.get_scale(), state.updates
    weight = state.net.module.get_parameter("fc.weight")
    hook = weight.register_hook(lambda grad: grad * float("inf"))
    update(job, state, IMAGES, TARGET)
    hook.remove()
    assert not settle(job, state)
    assert (state.updates, state.skipped, state.overflows) == (updates, 0, 1)
    assert state.scaler.get_scale() == scale / 2
    assert "fp16: the gradient overflowed in epoch 1 step 3" in capsys.readouterr().err
    for name, value in state.net.module.state_dict().items():
        assert torch.equal(value, before[name]), name
    update(job, state, IMAGES, TARGET)
    assert settle(job, state)
    assert (state.updates, state.overflows) == (updates + 1, 0)
    assert not torch.equal(weight, before["fc.weight"])


def test_pixels_of_16_bits_are_no_uint16_on_a_device(tmp_path: Path) -> None:
    """CUDA has few operations for them. On `meta`, which takes any."""
    nowhere = Device(torch.device("meta"), "fp32", None, scaled=False)
    over = {"augment__mixup": 0.5, "augment__cutmix": 0.5, "augment__erasing": 0.5}
    job = make_job(tmp_path, device=nowhere, image__bits=16, image__channels=4, **over)
    state = new_state(job, 10, 8)
    images = torch.zeros((8, 24, 24, 4), dtype=torch.uint16)
    with Waits() as seen:
        batch, _ = mixed(job, state, images, TARGET)
        for part, _ in batch.parts(2):
            state.net.logits(part)
        for view in views_of("d4"):
            view.augment_image(state.net.to_device(images))
    assert "_to_copy" in seen.copies
    assert seen.words == []


def test_pixels_of_16_bits_keep_their_values(tmp_path: Path) -> None:
    net = new_state(make_job(tmp_path, image__bits=16, image__channels=3), 10, 8).net
    levels = torch.tensor([0, 1, 32767, 32768, 65535], dtype=torch.int32)
    images = levels.to(torch.uint16).view(1, 5, 1, 1).expand(1, 5, 1, 3).contiguous()
    assert net.to_device(images)[0, 0, :, 0].tolist() == levels.tolist()
