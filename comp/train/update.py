"""One update of the weights from one batch."""

from __future__ import annotations

import math

import torch

from comp.core.errors import TrainError
from comp.core.progress import say
from comp.tasks.counts import UNKNOWN
from comp.train.job import Job
from comp.train.mixing import Mixed, mix
from comp.train.train_state import TrainState, place_text

MAX_SKIPPED = 5


def update(job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor) -> None:
    """One update from one batch, `micro_batch` images at a time.

    It is left out when the loss or the gradient is not finite; TrainError when that happens more
    than MAX_SKIPPED times. (With scaled losses, the scaler leaves out gradients that overflow.)
    """
    device, clip = job.device.torch_device, job.config.train.clip_grad
    total = torch.zeros((), device=device)
    kept = [buffer.clone() for buffer in state.net.module.buffers()]
    batch = mixed(job, state, images, target)
    for part, truth in batch.parts(parts_of(len(images), state.micro_batch)):
        total += backward(job, state, part, truth, _share(job, truth, batch.target))
    scaled = state.scaler.is_enabled()
    norm = torch.zeros_like(total) if scaled else _norm(state, clip)
    loss_now, norm_now = torch.stack([total, norm]).tolist()
    if not (math.isfinite(loss_now) and math.isfinite(norm_now)):
        for buffer, before in zip(state.net.module.buffers(), kept, strict=True):
            buffer.copy_(before)  # a forward pass that is not finite spoils BatchNorm's statistics
        _skip(job, state, loss_now)
        return
    state.loss_sum += torch.stack([total, torch.ones_like(total)])
    if scaled and clip is not None:
        state.scaler.unscale_(state.optimizer)
        _norm(state, clip)
    _step(state)


def _share(job: Job, part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor | float:
    """How much the loss of a part counts in that of the batch: by images, or where cells are
    unknown by the known ones, so that the sum is the mean over all that are known."""
    if not job.unknown:
        return len(part) / len(whole)
    return (part != UNKNOWN).sum() / (whole != UNKNOWN).sum().clamp_min(1)


def mixed(job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor) -> Mixed:
    """A batch of a loader on the device, mixed as the config says at this step."""
    return mix(
        state.net.to_device(images),
        target.to(job.device.torch_device, non_blocking=True),
        job.config.augment,
        job.task,
        job.columns,
        state.net.mean,
        (job.config.seed, job.fold, state.epoch, state.step),
    )


def backward(
    job: Job,
    state: TrainState,
    part: torch.Tensor,
    truth: torch.Tensor,
    share: torch.Tensor | float,
) -> torch.Tensor:
    """The loss of a part of a batch, times its share of the batch; its gradient is added up."""
    logits = state.net.logits(part)
    loss = state.loss(logits, job.task.link.loss_target(truth, logits)) * share
    state.scaler.scale(loss).backward()
    return loss.detach()


def parts_of(images: int, micro_batch: int) -> int:
    """How many parts a batch is seen in: of one image only where that was asked for, because
    BatchNorm cannot train on one."""
    count = math.ceil(images / micro_batch)
    return count if micro_batch == 1 else min(count, max(1, images // 2))


def _step(state: TrainState) -> None:
    state.lr = state.current_lr()
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    state.updates += 1
    state.schedule.step_update(state.updates)
    if state.ema:
        state.ema.update(state.net.module, step=state.updates)


def _norm(state: TrainState, clip: float | None) -> torch.Tensor:
    """The norm of the gradient before it is clipped."""
    found = [p for p in state.net.module.parameters() if p.grad is not None]
    if clip is not None:
        return torch.nn.utils.clip_grad_norm_(found, clip)
    return torch.nn.utils.get_total_norm([p.grad for p in found if p.grad is not None])


def _skip(job: Job, state: TrainState, loss: float) -> None:
    cause = f"the loss is {loss}" if not math.isfinite(loss) else "the gradient is not finite"
    state.optimizer.zero_grad(set_to_none=True)
    state.skipped += 1
    where = f"fold {job.fold}: {cause} in {place_text(state.epoch, state.step + 1)}"
    if state.skipped > MAX_SKIPPED:
        raise TrainError(
            f"{where}, for the {state.skipped}th time. Lower train.lr, set train.clip_grad, or "
            f"use train.precision=fp32. The last checkpoint before it is kept in {job.run.path}."
        )
    say(f"{where}; skipped ({state.skipped} of {MAX_SKIPPED} allowed)")
