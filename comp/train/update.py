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
from comp.train.checkpoints.saving import is_due
from comp.train.hardware.verdict import Verdict, is_finite, not_finite, to_cpu
from comp.train.job import Job
from comp.train.mixing import Mixed, Slice, mix
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

    Processes that train together see a part each of `state.whole` images; what they agree on in the
    step is in `state.asked`. weights: (B,) how much each image counts, or None.

    It is left out when the loss or the gradient is not finite; TrainError when that happens more
    than MAX_SKIPPED times. (With scaled losses, gradients may overflow: that only lowers the
    scale.)
    """
    kept = state.buffers.keep()
    part = _slice(job, state.whole if job.world.shared else len(images))
    total = _learn(job, state, images, target, weights, part)
    if not settle(job, state, kept):
        state.optimizer.zero_grad(set_to_none=True)
        kept = state.buffers.keep()
        total = _learn(job, state, images, target, weights, part)
    if state.scaler.is_enabled():
        state.scaler.unscale_(state.optimizer)  # once per update, so of the pass that counts
    values = torch.stack([total, _norm(state, job.config.train.clip_grad)])
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
    weights: torch.Tensor | None,
    part: Slice,
) -> torch.Tensor:
    """Add up the gradient of a batch, scaled as the scaler says; its loss, on the device.

    Dropout follows from (seed, fold, epoch, step), and the process, so it may be called again.
    Gradients stay here until the last part of the batch; then they are added over all processes.
    """
    world, apart = job.world, (f"process {job.world.rank}",) if job.world.rank else ()
    seed_torch(job.config.seed, "step", job.fold, state.epoch, state.step, *apart)
    (batch, aux), _ = world.protected(lambda: mixed(job, state, images, target, part))
    own = None if weights is None else batch.weighed(job.device.send(weights))
    whole = _whole(job, batch.target, part.count)
    asked = {"stop": job.stop.said, "due": is_due(job, state)}
    total, state.asked = world.protected(
        lambda: _backward(job, state, batch, aux, own, whole, part), **asked
    )
    learns = [*state.net.module.parameters(), *(state.aux.parameters() if state.aux else [])]
    world.add([total, *(p.grad for p in learns if p.grad is not None)])
    if not state.synced:
        world.copy(state.buffers.live)  # batch norm of the first process, as in its checkpoint
    return total


def _backward(
    job: Job,
    state: TrainState,
    batch: Mixed,
    aux: AuxPart | None,
    own: torch.Tensor | None,
    whole: torch.Tensor | int,
    part: Slice,
) -> torch.Tensor:
    """Add up the gradient of what this process sees of a batch; the loss of that."""
    total = torch.zeros((), device=job.device.torch_device)
    largest = max(high - low for low, high in job.world.slices(part.count))
    count, images = parts_of(largest, state.micro_batch), job.world.weight(part.count)
    for (low, high), (seen, truth) in zip(batch.places(count), batch.parts(count), strict=True):
        known: torch.Tensor | int = (truth != UNKNOWN).sum() if job.unknown else len(truth)
        beside = None if aux is None else (aux.part(low, high), images)
        counted = None if own is None else own[low:high]
        total += backward(job, state, seen, truth, known / whole, beside, counted)
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
) -> tuple[Mixed, AuxPart | None]:
    """A batch of a loader on the device, mixed as the config says at this step; the auxiliary
    targets, which a loader puts behind the columns of the target. part: see `mix`."""
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
        part,
        state.net.top,
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
        loss = weighed_loss(state.loss, logits, target, weights, unknown=job.unknown) * share
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
