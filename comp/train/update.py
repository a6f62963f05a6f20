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
from comp.train.aux import AuxPart
from comp.train.hardware.verdict import Verdict, is_finite, not_finite, to_cpu
from comp.train.job import Job
from comp.train.mixing import Mixed, mix
from comp.train.row_losses import weighed_loss
from comp.train.train_state import TrainState, place_text

MAX_SKIPPED = 5
MAX_OVERFLOWS = 60  # in a row: the scale of fp16 has fallen to nothing long before


def update(
    job: Job,
    state: TrainState,
    images: torch.Tensor,
    target: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> None:
    """One update from one batch, `micro_batch` images at a time; `settle` says what became of it.

    weights: (B,) how much each image counts, or None.

    It is left out when the loss or the gradient is not finite; TrainError when that happens more
    than MAX_SKIPPED times. (With scaled losses, gradients may overflow: that only lowers the
    scale.)
    """
    kept = state.buffers.keep()
    values = _learn(job, state, images, target, weights)
    if not settle(job, state, kept):
        state.optimizer.zero_grad(set_to_none=True)
        kept = state.buffers.keep()
        values = _learn(job, state, images, target, weights)
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


def _learn(
    job: Job,
    state: TrainState,
    images: torch.Tensor,
    target: torch.Tensor,
    weights: torch.Tensor | None,
) -> torch.Tensor:
    """Add up the gradient of a batch; (2,) its loss and the norm of its gradient, on the device.

    Dropout follows from (seed, fold, epoch, step), so it may be called again.
    """
    seed_torch(job.config.seed, "step", job.fold, state.epoch, state.step)
    total = torch.zeros((), device=job.device.torch_device)
    batch, aux = mixed(job, state, images, target)
    own = None if weights is None else batch.weighed(job.device.send(weights))
    count = parts_of(len(images), state.micro_batch)
    for (low, high), (part, truth) in zip(batch.places(count), batch.parts(count), strict=True):
        beside = None if aux is None else (aux.part(low, high), len(images))
        share = _share(job, truth, batch.target)
        counted = None if own is None else own[low:high]
        total += backward(job, state, part, truth, share, beside, counted)
    if state.scaler.is_enabled():
        state.scaler.unscale_(state.optimizer)
    return torch.stack([total, _norm(state, job.config.train.clip_grad)])


def _share(job: Job, part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor | float:
    """How much the loss of a part counts in that of the batch: by images, or where cells are
    unknown by the known ones, so that the sum is the mean over all that are known."""
    if not job.unknown:
        return len(part) / len(whole)
    return (part != UNKNOWN).sum() / (whole != UNKNOWN).sum().clamp_min(1)


def mixed(
    job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor
) -> tuple[Mixed, AuxPart | None]:
    """A batch of a loader on the device, mixed as the config says at this step; the auxiliary
    targets, which a loader puts behind the columns of the target."""
    target = job.device.send(target)
    aux = target[:, job.columns :] if job.aux else None
    batch = mix(
        state.net.to_device(images),
        target if aux is None else target[:, : job.columns],
        job.config.augment,
        job.task,
        job.columns,
        state.net.mean,
        (job.config.seed, job.fold, state.epoch, state.step),
    )
    return batch, None if aux is None else batch.beside(aux)


def backward(
    job: Job,
    state: TrainState,
    part: torch.Tensor,
    truth: torch.Tensor,
    share: torch.Tensor | float,
    aux: tuple[AuxPart, int] | None = None,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """The loss of a part of a batch, times its share of the batch; its gradient is added up.

    aux: auxiliary targets of the part, and how many images the batch has; weights: (n,) how much
    each image of the part counts, or None.
    """
    logits = state.net.logits(part)
    target = job.task.link.loss_target(truth, logits)
    if weights is None:
        loss = state.loss(logits, target) * share
    else:
        loss = weighed_loss(state.loss, logits, target, weights) * share
    if aux is not None and state.aux is not None:
        loss = loss + state.aux.loss(*aux)
    state.scaler.scale(loss).backward()
    return loss.detach()


def parts_of(images: int, micro_batch: int) -> int:
    """How many parts a batch is seen in: of one image only where that was asked for, because
    BatchNorm cannot train on one."""
    count = math.ceil(images / micro_batch)
    return count if micro_batch == 1 else min(count, max(1, images // 2))


def _norm(state: TrainState, clip: float | None) -> torch.Tensor:
    """The norm of the gradient before it is clipped."""
    modules = [state.net.module, *([] if state.aux is None else [state.aux])]
    found = [p for module in modules for p in module.parameters() if p.grad is not None]
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
