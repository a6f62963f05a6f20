"""One fold: a straight loop over epochs that continues wherever the last checkpoint stands.

Where it stands is (epoch, step): all updates before that step of that epoch are made. A step equal
to the length of an epoch means that only the validation is missing.
"""

from __future__ import annotations

import contextlib
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from comp.core import checksums, files
from comp.core.errors import TrainError, WorkerError, first
from comp.core.progress import say, track
from comp.core.provenance import versions
from comp.data.loader.loader import Loader, worker_deaths
from comp.models.device import is_oom
from comp.models.freezing import set_training_mode
from comp.models.halving import free_memory
from comp.train.batches import make_loader
from comp.train.checkpoints.average import average_best
from comp.train.checkpoints.best import is_best, ties
from comp.train.checkpoints.resume import open_state
from comp.train.checkpoints.saving import (
    check_best,
    is_due,
    save_best,
    save_history,
    save_last,
    save_top,
)
from comp.train.hardware.copies import on_device
from comp.train.hardware.micro import choose_micro_batch, most_images, remember
from comp.train.hardware.world import ALONE, Agreed
from comp.train.job import Job
from comp.train.live.pulse import Pulse
from comp.train.logging import estimate_end, history_csv, report
from comp.train.sessions import note_session
from comp.train.tracking import Tracker, open_tracker
from comp.train.train_state import TrainState, place_text
from comp.train.trial import try_out
from comp.train.update import settle, update
from comp.train.validate import Validation, validate

_NEEDS_TWO = "more than 1 value per channel"  # BatchNorm, of torch


@dataclass
class _Effort:
    """How a fold is tried: images on the device at once, and processes that prepare them."""

    micro_batch: int
    workers: int


def train_fold(job: Job) -> dict[str, Any]:
    """Train one fold to its end, from its last checkpoint if there is one; what `done.json` holds.

    Out of device memory, the micro-batch is halved and the fold resumes from its last checkpoint;
    gradients are accumulated, so the effective batch stays what the config says. When a worker
    dies, the fold resumes with half of them.
    Raises TrainError when the loss is not finite too often or not even one image fits, RunError
    when the folder holds another fold's or plan's checkpoint or none that is whole, Interrupted and
    OutOfTime after a checkpoint was written for them.
    """
    train = job.config.train
    effort = _Effort(most_images(train), job.workers)
    while True:
        try:
            with worker_deaths():
                return _run(job, effort)
        except WorkerError as problem:
            if job.world.shared:  # the others know nothing of it, and torchrun ends them
                raise
            _halve_workers(job, effort, problem)
        except RuntimeError as problem:
            if not is_oom(problem):
                raise
            if job.world.shared and not isinstance(problem, Agreed):
                with contextlib.suppress(Agreed):
                    job.world.agree(full=True)
            job = _with_less(job, effort)
        except ValueError as problem:
            if effort.micro_batch > 1 or _NEEDS_TWO not in str(problem):
                raise
            raise TrainError(
                f"{job.name}: {job.config.model.name} needs more than one image at a time, "
                "and the memory of the device is too small for two. Use a smaller image.size or "
                "model.name, or free memory on the device."
            ) from problem
        free_memory()


def _halve_workers(job: Job, effort: _Effort, problem: WorkerError) -> None:
    if effort.workers == 0:
        raise problem
    effort.workers //= 2
    say(f"{job.name}: {problem}; continuing with {effort.workers} workers")


def _with_less(job: Job, effort: _Effort) -> Job:
    """The job with more room on the device: without the images that stay there, else with fewer
    at a time."""
    if job.resident is not None and job.config.image.resident == "auto":
        job.resident.release()
        say(f"{job.name}: out of device memory; continuing without the images that stayed there")
        return replace(job, resident=None)
    _halve_images(job, effort)
    remember(job, effort.micro_batch)
    return job


def _halve_images(job: Job, effort: _Effort) -> None:
    if effort.micro_batch == 1:
        raise TrainError(
            f"{job.name}: out of device memory with one image at a time. Use a smaller "
            "image.size or model.name, or free memory on the device."
        )
    effort.micro_batch = math.ceil(effort.micro_batch / 2)
    say(
        f"{job.name}: out of device memory; continuing with {effort.micro_batch} images at a "
        f"time, still {job.config.train.batch_size} per update (batch norm sees "
        f"{effort.micro_batch})"
    )


def _run(job: Job, effort: _Effort) -> dict[str, Any]:
    job.run.path.mkdir(parents=True, exist_ok=True)
    loader = make_loader(job, effort.workers)
    job.world.gather(0)  # what one process still wrote, all will read
    state = open_state(job, len(loader), effort.micro_batch)
    job.world.refuse_apart((state.epoch, state.step, state.updates))
    effort.micro_batch = state.micro_batch  # that of the checkpoint may be smaller
    if job.world.lead:
        if state.history:  # a crash may have left the file behind the checkpoint
            files.write_text(job.run.history, history_csv(state.history))
        note_session(
            *(job.run, state.epoch, state.step, job.device.describe()),
            command=job.command,
            workspace=job.workspace,
        )
    _join(job, state)
    with state.writer:
        return _train(job, state, loader, effort)


def _join(job: Job, state: TrainState) -> None:
    """Begin with the weights of the first process, and say what several make different."""
    if not job.world.shared:
        return
    modules = [state.net.module, *([state.ema.module] if state.ema else [])]
    for module in modules:
        job.world.copy([*module.parameters(), *module.buffers()])
    size, batch = job.world.size, job.config.train.batch_size
    images = " + ".join(str(high - low) for low, high in job.world.slices(batch))
    say(f"{job.name}: {size} processes, {images} images of each batch of {batch}")
    if not state.synced and any(isinstance(m, _BatchNorm) for m in state.net.module.modules()):
        say(
            f"{job.name}: batch norm sees the images of one process, and its statistics are those "
            "of the first; on CUDA, train.sync_norm: true lets it see the whole batch"
        )


def _train(job: Job, state: TrainState, loader: Loader, effort: _Effort) -> dict[str, Any]:
    job.world.protected(lambda: try_out(job, state, loader))
    if not job.world.shared:  # each process would find another number
        choose_micro_batch(job, state, loader)
    effort.micro_batch = state.micro_batch
    pulse = Pulse(job, len(loader), loader.images)
    with job.stop.at_a_step(), _tracker(job, state) as tracker:
        _train_on(job, state, loader, tracker, pulse)
    state.writer.wait()
    if not job.world.lead:
        return {}
    alone = replace(job, world=ALONE)
    if job.world.shared:
        loader = make_loader(alone, 0)
    leave = partial(_leave_if_asked, alone, state)
    average = average_best(alone, state, loader, leave)
    pulse.finish(state)
    return _finish(job, state, average)


def _tracker(job: Job, state: TrainState) -> AbstractContextManager[Tracker]:
    """The tracker of the config, in the process that writes."""
    if not job.world.lead:
        return nullcontext(Tracker())
    return open_tracker(job.config, job.run, state.history)


def _train_on(job: Job, state: TrainState, loader: Loader, tracker: Tracker, pulse: Pulse) -> None:
    """The epochs that are left."""
    while state.epoch < job.config.train.epochs and not _out_of_patience(job, state):
        started, first_step = time.monotonic(), state.step
        _train_epoch(job, state, loader, pulse)
        trained = time.monotonic() - started
        row = _validate(job, state, pulse)
        improved = not job.validated or is_best(row, state.best, job.metric)
        _end_epoch(job, state, row, improved, tracker)
        pulse.end(state)
        seconds = time.monotonic() - started
        whole = first_step == 0
        if not job.world.lead:
            continue
        report(job, row, improved, seconds, whole=whole, skipped=state.skipped)
        estimate_end(job, state, seconds if whole else trained)


def _end_epoch(
    job: Job, state: TrainState, row: dict[str, float], improved: bool, tracker: Tracker
) -> None:
    """Note the epoch in the state, and write the checkpoints.

    Raises TrainError where a statistic of the network is not finite: it stays so, and nothing that
    is predicted by it is right.
    """
    broken = [
        name
        for name, value in state.net.module.named_buffers()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if broken:
        raise TrainError(
            f"{job.name}: statistics of the network are not finite after epoch {state.epoch + 1}: "
            f"{first(broken)}. The last checkpoint before it is kept; lower train.lr, set "
            "train.clip_grad, or use train.precision=fp32"
        )
    if improved:
        state.best = row
    state.history.append({**row, "best": int(improved)})
    tracker.log(row, state.epoch + 1)
    state.epoch, state.step = state.epoch + 1, 0
    state.schedule.step(state.epoch, row[job.metric.name])
    state.loss_sum.zero_()
    if improved:
        save_best(job, state)
    if job.config.train.top_k > 1:
        save_top(job, state, state.epoch - 1)
    save_last(job, state)
    save_history(job, state)


def _out_of_patience(job: Job, state: TrainState) -> bool:
    """Whether `train.patience` epochs in a row brought no better score."""
    patience = job.config.train.patience
    if patience is None or state.best is None:
        return False
    return state.epoch - 1 - state.best["epoch"] >= patience


def _train_epoch(job: Job, state: TrainState, loader: Loader, pulse: Pulse) -> None:
    """The rest of the epoch; a checkpoint and out when it is time to stop."""
    head_only = state.epoch < job.config.train.freeze_epochs
    set_training_mode(state.net.module, head_only=head_only)
    title = f"{job.name} epoch {state.epoch + 1}/{job.config.train.epochs}"
    batches = on_device(loader, job.device, state.epoch, state.step)
    pulse.begin(state)
    try:
        weights = loader.weights(state.epoch, state.step)
        tracked = track(batches, len(loader) - state.step, title)
        for (images, target), own in zip(tracked, weights, strict=False):
            state.whole = loader.size(state.step)
            update(job, state, images, target, own)
            state.step += 1
            pulse.step(state)
            _pause(job, state)
        settle(job, state)
    except WorkerError:
        settle(job, state)
        save_last(job, state)
        state.writer.wait()
        raise


def _pause(job: Job, state: TrainState) -> None:
    """Between two steps: a checkpoint when one is due, and out when it is time to stop; processes
    that train together do what they agreed on in the step."""
    asked, due = job.stop.requested, is_due(job, state)
    if job.world.shared:
        job.stop.adopt(state.asked[0])
        asked, due = job.stop.agreed, state.asked[1]
    if asked or due:
        settle(job, state)
        save_last(job, state)
    state.writer.check()
    if asked:
        state.writer.wait()
        job.stop.leave(f"{job.name} at {place_text(state.epoch, state.step)}")


def _validate(job: Job, state: TrainState, pulse: Pulse) -> dict[str, float]:
    """The row of the history for the epoch that was just trained."""
    result = Validation(math.nan, math.nan)
    if job.validated:
        pulse.validates(state)
        result = validate(job, state, state.eval_net, partial(_between, job, state, pulse))
    total, steps = state.loss_sum.tolist()
    if not state.updates:
        raise TrainError(
            f"{job.name}: no update of the first epoch was finite, so nothing was learned. "
            "Are the weights of model.weights whole? Lower train.lr, or use train.precision=fp32"
        )
    every = job.config.train.show_every
    show = job.show if job.validated and job.world.lead else None
    if show is not None and every is not None and (state.epoch + 1) % every == 0:
        show(job, state.eval_net, result, state.epoch)
    return {
        "epoch": state.epoch,
        "lr": state.lr,
        "train_loss": total / steps if steps else math.nan,
        "valid_loss": result.loss,
        job.metric.name: result.score,
        **result.by_class(job),
    }


def _between(job: Job, state: TrainState, pulse: Pulse) -> None:
    """Between two batches of the validation."""
    pulse.validates(state)
    _leave_if_asked(job, state)


def _leave_if_asked(job: Job, state: TrainState) -> None:
    asked = job.stop.requested
    if job.world.shared:
        said, _ = job.world.agree(stop=job.stop.said)
        job.stop.adopt(said)
        asked = job.stop.agreed
    if asked:
        save_last(job, state)
        state.writer.wait()
        job.stop.leave(f"{job.name} in the validation of epoch {state.epoch + 1}")


def _finish(job: Job, state: TrainState, average: dict[str, Any] | None) -> dict[str, Any]:
    """Write the manifest of the whole fold, and return it."""
    if state.best is None:
        say(f"{job.name}: {job.metric.name} was NaN in every epoch; the last one is kept")
        save_best(job, state)
    state.writer.wait()
    check_best(job, state)
    equal = ties(state.history, state.best, job.metric)
    if equal:
        others = first([epoch + 1 for epoch in equal], 10)
        say(f"{job.name}: the best score was reached in other epochs too: {others}")
    best = (state.best or {}).items()
    manifest = {
        "fold": job.fold,
        **({} if job.validated else {"validated": False}),
        "plan": job.plan,
        "images": job.files,
        **({"sources": job.sources} if job.sources else {}),
        "epochs": state.epoch,
        "early": state.epoch < job.config.train.epochs,
        "metric": job.metric.name,
        "best": {name: value if math.isfinite(value) else None for name, value in best},
        "ties": equal,
        "average": average,
        "skipped": state.skipped,
        "best_sha256": checksums.digest_file(job.run.best),
        "last_sha256": checksums.digest_file(job.run.last),
        "average_sha256": None if average is None else checksums.digest_file(job.run.average),
        "versions": versions(),
    }
    files.write_json(job.run.done, manifest)
    return manifest
