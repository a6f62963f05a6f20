"""One update of the weights from one batch, without waiting for the device.

Whether loss and gradient are finite is found on the device. The optimizer leaves a bad update out
there; the CPU reads it one step late (`settle`), when the next step is in the queue. A bad update
then leaves nothing behind: BatchNorm gets its statistics back and the step after it is made again,
so that the weights are those of a loop that waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from comp.core.errors import TrainError
from comp.core.progress import say
from comp.core.rng import seed_torch
from comp.tasks.counts import UNKNOWN
from comp.train.checkpoints.saving import is_due
from comp.train.hardware.verdict import Verdict, is_finite, not_finite, to_cpu
from comp.train.job import Job
from comp.train.mixing import Mixed, Slice, mix
from comp.train.train_state import TrainState, place_text

MAX_SKIPPED = 5
MAX_OVERFLOWS = 60  # in a row: the scale of fp16 has fallen to nothing long before


def update(job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor) -> None:
    """One update from one batch, `micro_batch` images at a time; `settle` says what became of it.

    Processes that train together see a part each of `state.whole` images; what they agree on in the
    step is in `state.asked`.
    It is left out when the loss or the gradient is not finite; TrainError when that happens more
    than MAX_SKIPPED times. (With scaled losses, gradients may overflow: that only lowers the
    scale.)
    """
    kept = state.buffers.keep()
    part = _slice(job, state.whole if job.world.shared else len(images))
    values = _learn(job, state, images, target, part)
    if not settle(job, state, kept):
        state.optimizer.zero_grad(set_to_none=True)
        kept = state.buffers.keep()
        values = _learn(job, state, images, target, part)
    found, lr = not_finite(values), state.current_lr()
    host, event = to_cpu(values, state.host)
    state.verdict = Verdict(state.epoch, state.step, lr, host, kept, event)
    if state.leaves_out:
        state.optimizer.found_inf = found  # type: ignore[attr-defined]
        state.optimizer.step()
    elif is_finite(state.verdict.read()):
        state.optimizer.step()
    if state.scaler.is_enabled():
        state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)


def settle(job: Job, state: TrainState, buffers: Sequence[torch.Tensor] | None = None) -> bool:
    """Take note of the last update: count it, move schedule and average. False where it was left
    out; BatchNorm then is as it was before it.

    buffers: those of the network after that update, where another forward pass came since. Between
    two steps, it is to be called before anything reads the state. Raises TrainError, see `update`.
    """
    verdict, state.verdict = state.verdict, None
    if verdict is None:
        return True
    values = verdict.read()
    if not is_finite(values):
        state.buffers.restore(verdict.kept)  # a forward pass that is not finite spoils BatchNorm
        _skip(job, state, verdict, values[0])
        return False
    state.overflows = 0
    state.loss_sum += torch.tensor([values[0], 1.0], dtype=torch.float64)
    state.lr = verdict.lr
    state.updates += 1
    state.schedule.step_update(state.updates)
    if state.average:
        state.average.update(state.updates, state.buffers.live if buffers is None else buffers)
    return True


def _slice(job: Job, count: int) -> Slice:
    """Which images of a batch this process sees."""
    return Slice(*job.world.slices(count)[job.world.rank], count)


def _learn(
    job: Job,
    state: TrainState,
    images: torch.Tensor,
    target: torch.Tensor,
    part: Slice,
) -> torch.Tensor:
    """Add up the gradient of a batch; (2,) its loss and the norm of its gradient, on the device.

    Dropout follows from (seed, fold, epoch, step), and the process, so it may be called again.
    Gradients stay here until the last part of the batch; then they are added over all processes.
    """
    world, apart = job.world, (f"process {job.world.rank}",) if job.world.rank else ()
    seed_torch(job.config.seed, "step", job.fold, state.epoch, state.step, *apart)
    batch, _ = world.protected(lambda: mixed(job, state, images, target, part))
    whole = _whole(job, batch.target, part.count)
    asked = {"stop": job.stop.said, "due": is_due(job, state)}
    total, state.asked = world.protected(lambda: _backward(job, state, batch, whole, part), **asked)
    found = (p.grad for p in state.net.module.parameters())
    world.add([total, *(gradient for gradient in found if gradient is not None)])
    if not state.synced:
        world.copy(state.buffers.live)  # batch norm of the first process, as in its checkpoint
    if state.scaler.is_enabled():
        state.scaler.unscale_(state.optimizer)
    return torch.stack([total, _norm(state, job.config.train.clip_grad)])


def _backward(
    job: Job, state: TrainState, batch: Mixed, whole: torch.Tensor | int, part: Slice
) -> torch.Tensor:
    """Add up the gradient of what this process sees of a batch; the loss of that."""
    total = torch.zeros((), device=job.device.torch_device)
    largest = max(high - low for low, high in job.world.slices(part.count))
    for images, truth in batch.parts(parts_of(largest, state.micro_batch)):
        known: torch.Tensor | int = (truth != UNKNOWN).sum() if job.unknown else len(truth)
        total += backward(job, state, images, truth, known / whole)
    return total


def _whole(job: Job, target: torch.Tensor, count: int) -> torch.Tensor | int:
    """What the loss of a part is a share of: the images of the batch, or where cells are unknown
    the known ones, so that the sum is the mean over all that are known."""
    if not job.unknown:
        return job.world.weight(count)
    known = (target != UNKNOWN).sum()
    job.world.add([known])
    return known.clamp_min(1)


def mixed(
    job: Job,
    state: TrainState,
    images: torch.Tensor,
    target: torch.Tensor,
    part: Slice | None = None,
) -> Mixed:
    """A batch of a loader on the device, mixed as the config says at this step. part: see `mix`."""
    return mix(
        state.net.to_device(images),
        job.device.send(target),
        job.config.augment,
        job.task,
        job.columns,
        state.net.mean,
        (job.config.seed, job.fold, state.epoch, state.step),
        part,
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


def _norm(state: TrainState, clip: float | None) -> torch.Tensor:
    """The norm of the gradient before it is clipped."""
    found = [p for p in state.net.module.parameters() if p.grad is not None]
    if clip is not None:
        return torch.nn.utils.clip_grad_norm_(found, clip)
    return torch.nn.utils.get_total_norm([p.grad for p in found if p.grad is not None])


def _skip(job: Job, state: TrainState, verdict: Verdict, loss: float) -> None:
    """Count an update that was left out, and say so."""
    where = place_text(verdict.epoch, verdict.step + 1)
    if math.isfinite(loss) and state.scaler.is_enabled():
        _note_overflow(job, state, where)
        return
    cause = f"the loss is {loss}" if not math.isfinite(loss) else "the gradient is not finite"
    state.skipped += 1
    where = f"{job.name}: {cause} in {where}"
    if state.skipped > MAX_SKIPPED:
        raise TrainError(
            f"{where}, for the {state.skipped}th time. Lower train.lr, set train.clip_grad, or "
            f"use train.precision=fp32. The last checkpoint before it is kept in {job.run.path}."
        )
    say(f"{where}; skipped ({state.skipped} of {MAX_SKIPPED} allowed)")


def _note_overflow(job: Job, state: TrainState, where: str) -> None:
    """A gradient that fp16 cannot hold: the scale of the loss is halved, the update is left out."""
    state.overflows += 1
    scale = state.scaler.get_scale()
    say(f"{job.name}: fp16: the gradient overflowed in {where}; the scale is now {scale:g}")
    if state.overflows > MAX_OVERFLOWS:
        raise TrainError(
            f"{job.name}: the gradient overflowed {state.overflows} times in a row, the last "
            f"in {where}. Use train.precision=fp32, or lower train.lr."
        )
