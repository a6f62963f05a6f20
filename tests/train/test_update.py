"""One update from one batch: the same in parts, clipped, averaged, and left out where it is bad."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from train_jobs import make_job

from comp.core.errors import TrainError
from comp.models.device import choose_device
from comp.models.networks import Net
from comp.train.job import Job
from comp.train.optim import make_optimizer
from comp.train.train_state import TrainState, new_state
from comp.train.update import MAX_SKIPPED, settle
from comp.train.update import update as begin

TARGET = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
IMAGES = torch.randint(
    0, 256, (8, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
Make = Callable[..., tuple[Job, TrainState]]


class Mean(nn.Module):
    """A linear layer on the mean colour. `times`: what the logits are multiplied with; `seen`: how
    many images came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.times = 1.0
        self.seen: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(images))
        return self.fc(images.mean(dim=(2, 3))) * self.times


class Steep(Mean):
    """The root of a zero is finite, its slope is not."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out = super().forward(images)
        return out + torch.sqrt(out * 0)


def update(job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor) -> None:
    """One update, whose verdict is read at once."""
    begin(job, state, images, target)
    settle(job, state)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A job and its state, with a network of twelve weights; 10 updates per epoch."""

    def build(module: type[nn.Module] = Mean, **over: Any) -> tuple[Job, TrainState]:
        def build_net(*_: Any, **__: Any) -> Net:
            torch.manual_seed(0)
            return Net(module(), choose_device("fp32"), (0.5,) * 3, (0.25,) * 3)

        monkeypatch.setattr("comp.train.train_state.build_net", build_net)
        job = make_job(
            tmp_path, **{"train__opt": "sgd", "train__lr": 0.1, "train__sched": "cosine", **over}
        )
        return job, new_state(job, 10, over.get("train__micro_batch", 8))

    return build


def weights(state: TrainState) -> torch.Tensor:
    """All weights of the network, as one vector."""
    return torch.cat([p.detach().flatten() for p in state.net.module.parameters()])


def by_hand(job: Job, state: TrainState) -> tuple[torch.Tensor, float]:
    """The weights after one plain step of the optimizer on the whole batch, and its loss."""
    module = deepcopy(state.net.module)
    optimizer = make_optimizer(module, job.config.train, None)
    optimizer.param_groups[0]["lr"] = state.current_lr()
    pixels = (IMAGES.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    loss = nn.functional.cross_entropy(module(pixels), TARGET)
    loss.backward()
    if job.config.train.clip_grad is not None:
        nn.utils.clip_grad_norm_(module.parameters(), job.config.train.clip_grad)
    optimizer.step()
    return torch.cat([p.detach().flatten() for p in module.parameters()]), loss.item()


@pytest.mark.parametrize("clip", [None, 1e-3])
@pytest.mark.parametrize(("micro", "seen"), [(8, [8]), (3, [3, 3, 2]), (1, [1] * 8)])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_an_update_in_parts_is_one_step_on_the_whole_batch(
    make: Make, micro: int, seen: list[int], clip: float | None, scaled: bool
) -> None:
    job, state = make(train__clip_grad=clip)
    state.micro_batch = micro
    state.scaler = torch.amp.GradScaler("cpu", enabled=scaled)
    before = weights(state)
    expected, loss = by_hand(job, state)
    update(job, state, IMAGES, TARGET)
    assert state.net.module.seen == seen
    torch.testing.assert_close(weights(state), expected)
    assert not torch.equal(weights(state), before)
    assert state.loss_sum.tolist() == pytest.approx([loss, 1.0])
    assert (state.updates, state.skipped) == (1, 0)
    assert all(p.grad is None for p in state.net.module.parameters())


def test_losses_add_up_and_the_learning_rate_is_that_of_the_update(make: Make) -> None:
    job, state = make(train__warmup_epochs=1)
    rates, losses = [], []
    for _ in range(3):
        rates.append(state.current_lr())
        losses.append(by_hand(job, state)[1])
        update(job, state, IMAGES, TARGET)
        assert state.lr == rates[-1]
    assert rates[0] < rates[1] < rates[2]
    assert state.loss_sum[1] == 3
    assert float(state.loss_sum[0]) > 0
    assert losses[2] < losses[0]


def test_the_average_of_the_weights_follows_them(make: Make) -> None:
    job, state = make(train__ema=0.5)
    assert state.ema is not None
    start = state.ema.module.fc.weight.clone()
    for _ in range(2):
        update(job, state, IMAGES, TARGET)
    average, now = state.ema.module.fc.weight, state.net.module.get_parameter("fc.weight")
    assert not torch.equal(average, start)
    assert not torch.equal(average, now)
    assert torch.dist(average, now) < torch.dist(start, now)


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_a_step_with_a_loss_that_is_no_number_leaves_nothing_behind(
    make: Make, capsys: pytest.CaptureFixture[str], scaled: bool
) -> None:
    job, state = make(train__ema=0.5)
    state.scaler = torch.amp.GradScaler("cpu", enabled=scaled)
    state.net.module.times, state.epoch, state.step = float("nan"), 2, 4
    before = weights(state)
    update(job, state, IMAGES, TARGET)
    assert torch.equal(weights(state), before)
    assert state.ema is not None
    assert torch.equal(state.ema.module.fc.weight, state.net.module.get_parameter("fc.weight"))
    assert all(p.grad is None for p in state.net.module.parameters())
    assert (state.updates, state.skipped, state.loss_sum.tolist()) == (0, 1, [0.0, 0.0])
    said = "fold 0: the loss is nan in epoch 3 step 5; skipped (1 of 5 allowed)"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_finite_loss_with_a_gradient_that_is_not_is_skipped_too(
    make: Make, capsys: pytest.CaptureFixture[str], clip: float | None
) -> None:
    job, state = make(Steep, train__clip_grad=clip)
    before = weights(state)
    update(job, state, IMAGES, TARGET)
    assert torch.equal(weights(state), before)
    assert (state.updates, state.skipped, state.loss_sum.tolist()) == (0, 1, [0.0, 0.0])
    assert "the gradient is not finite in epoch 1 step 1; skipped" in capsys.readouterr().err


def test_the_scaler_leaves_out_gradients_that_overflow_and_no_step_counts_as_skipped(
    make: Make,
) -> None:
    job, state = make(Steep)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    before = weights(state)
    update(job, state, IMAGES, TARGET)
    assert torch.equal(weights(state), before)
    assert (state.scaler.get_scale(), state.skipped, state.overflows) == (512.0, 0, 1)
    assert (state.updates, state.loss_sum.tolist()) == (0, [0.0, 0.0])


def test_too_many_skipped_steps_are_an_error_with_the_ways_out(make: Make) -> None:
    job, state = make()
    state.net.module.times = float("inf")
    for _ in range(MAX_SKIPPED):
        update(job, state, IMAGES, TARGET)
    with pytest.raises(TrainError) as caught:
        update(job, state, IMAGES, TARGET)
    assert str(caught.value) == (
        "fold 0: the loss is nan in epoch 1 step 1, for the 6th time. Lower train.lr, set "
        "train.clip_grad, or use train.precision=fp32. The last checkpoint before it is kept in "
        f"{job.run.path}."
    )


def test_what_is_mixed_depends_on_the_place_of_the_step_alone(make: Make) -> None:
    losses = []
    for place in ((0, 3), (0, 3), (0, 4), (1, 3)):
        job, state = make(augment__mixup=1.0)
        state.epoch, state.step = place
        update(job, state, IMAGES, TARGET)
        losses.append(float(state.loss_sum[0]))
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


class Normed(Mean):
    """BatchNorm before the layer: its statistics see what a forward pass sees."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.norm(images.mean(dim=(2, 3)) * self.times))


def test_a_forward_pass_that_is_not_finite_leaves_batch_norm_as_it_was(make: Make) -> None:
    """F57."""
    job, state = make(Normed)
    update(job, state, IMAGES, TARGET)
    before = deepcopy(state.net.module.state_dict())
    module: Any = state.net.module
    module.times = float("nan")
    update(job, state, IMAGES, TARGET)
    assert state.skipped == 1
    for name, value in state.net.module.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ("images", "micro", "parts"), [(3, 2, [3]), (5, 2, [3, 2]), (8, 3, [3, 3, 2])]
)
def test_no_part_of_a_batch_holds_a_single_image(
    make: Make, images: int, micro: int, parts: list[int]
) -> None:
    job, state = make(Normed)
    state.micro_batch = micro
    seen: list[int] = []
    state.net.module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    update(job, state, IMAGES[:images], TARGET[:images])
    assert seen == parts


def test_single_images_are_taken_where_they_were_asked_for(make: Make) -> None:
    job, state = make(Mean)
    state.micro_batch = 1
    seen: list[int] = []
    state.net.module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    update(job, state, IMAGES[:3], TARGET[:3])
    assert seen == [1, 1, 1]


class Two(Mean):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)


def test_parts_of_a_batch_count_by_their_known_cells(make: Make) -> None:
    target = torch.tensor([[1, -1], [-1, -1], [0, 1], [1, 0], [-1, 0], [-1, -1], [-1, -1], [1, 1]])
    slopes = []
    for micro in (8, 2):
        job, state = make(Two, kind="multilabel")
        state.micro_batch = micro
        job.target[0, 0] = -1  # as some of the whole set must be, where some of a batch are
        kept: list[torch.Tensor] = []
        state.optimizer.step = lambda *_, k=kept, s=state: k.extend(  # type: ignore[method-assign]
            p.grad.clone() for p in s.net.module.parameters() if p.grad is not None
        )
        update(job, state, IMAGES, target)
        slopes.append(kept)
    assert len(slopes[0]) == 2
    for whole, parts in zip(*slopes, strict=True):
        torch.testing.assert_close(whole, parts)
