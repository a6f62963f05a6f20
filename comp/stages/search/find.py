"""`comp find lr` and `comp find batch`: two settings worth measuring before a long run."""

from __future__ import annotations

import csv
import io
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from comp.core import files
from comp.core.errors import TrainError
from comp.core.progress import say, track
from comp.data.loader.loader import Loader, worker_deaths
from comp.data.loader.targets import Batch
from comp.models.device import is_oom
from comp.models.halving import free_memory
from comp.models.networks import noise
from comp.report.curves import plot_batches, plot_rates
from comp.stages.experiment import Experiment
from comp.stages.train import open_job
from comp.train.batches import make_loader
from comp.train.hardware.copies import on_device
from comp.train.hardware.micro import most_images
from comp.train.job import Job
from comp.train.train_state import TrainState, new_state
from comp.train.trial import try_out
from comp.train.update import settle, update

Array = np.ndarray[Any, Any]

LOWEST, HIGHEST = 1e-6, 1.0
_UPDATES, _SECONDS = 3, 0.3  # that are timed at least
_READY = 2  # batches that each worker has ready before that
_SMOOTH, _DIVERGED, _LEAST_FALL = 0.9, 4.0, 1e-6


@dataclass(frozen=True)
class Rates:
    """A learning-rate range test: rates, smoothed losses, the suggestion, where it was written."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float
    picture: Path


@dataclass(frozen=True)
class BatchTrial:
    """One batch size, on the device at once: images per second, and peak device memory in MiB (None
    without CUDA).

    `speed`  of the device alone, from random pixels that lie ready
    `loop`   of training, with the loader of the fold; None where the fold has fewer images
    """

    size: int
    speed: float
    memory: int | None
    loop: float | None = None


@dataclass(frozen=True)
class BatchSizes:
    """The batch sizes that fit, in order, and the picture; `limited`: no larger size was tried.

    `largest`  images on the device at once; a larger batch is trained in parts of so many
               (`train.micro_batch`)
    `fastest`  in training; where that was measured nowhere, on the device alone
    """

    trials: tuple[BatchTrial, ...]
    largest: int
    fastest: int
    picture: Path
    limited: bool


def find_rate(experiment: Experiment, fold: int, steps: int) -> Rates:
    """The learning-rate range test of Smith (2017) on the training part of a fold.

    The rate grows from 1e-6 to 1 by a constant factor, one update each; it ends early when the
    loss has grown to four times its lowest. The suggestion is the rate where the smoothed loss
    falls fastest. Nothing of the fold's run is touched.
    Raises TrainError when the loss never falls.
    """
    job = open_job(experiment, fold)
    rates = np.geomspace(LOWEST, HIGHEST, steps)
    micro_batch = most_images(job.config.train)
    while True:
        try:
            with worker_deaths():
                smooth = _losses(job, rates, micro_batch)
            return _suggest(experiment, rates[: len(smooth)].tolist(), smooth)
        except RuntimeError as problem:
            if not is_oom(problem) or micro_batch == 1:
                raise
        micro_batch = math.ceil(micro_batch / 2)
        say(f"find lr: out of device memory; again with {micro_batch} images at a time")
        free_memory()


def _losses(job: Job, rates: Array, micro_batch: int) -> list[float]:
    """The smoothed loss of an update at each rate, until it is four times the lowest."""
    state, loader = new_state(job, len(rates), micro_batch), make_loader(job, job.workers)
    try_out(job, state, loader)
    state.net.module.train()
    smooth: list[float] = []
    mean = 0.0
    batches = track(zip(rates, _endless(job, loader), strict=False), len(rates), "find lr")
    for step, (rate, (images, target)) in enumerate(batches):
        loss = _step(job, state, images, target, float(rate), step)
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        smooth.append(mean / (1 - _SMOOTH ** (step + 1)))
        if not math.isfinite(loss) or smooth[-1] > _DIVERGED * min(smooth):
            break
    return smooth


def _step(
    job: Job,
    state: TrainState,
    images: torch.Tensor,
    target: torch.Tensor,
    rate: float,
    step: int,
) -> float:
    """One update at `rate`; its loss, infinite when the update had to be left out."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
    before, skipped = state.loss_sum[0].item(), state.skipped + state.overflows
    state.step = step
    update(job, state, images, target)
    settle(job, state)
    skipped = state.skipped + state.overflows - skipped
    return math.inf if skipped else state.loss_sum[0].item() - before


def _endless(job: Job, loader: Loader) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from on_device(loader, job.device, epoch)


def _suggest(experiment: Experiment, rates: list[float], losses: list[float]) -> Rates:
    finite = [loss for loss in losses if math.isfinite(loss)]
    slopes = np.gradient(np.array(finite)) if len(finite) > 2 else np.zeros(1)
    low = int(np.argmin(finite)) if finite else 0
    if slopes[: low + 1].min(initial=0.0) > -_LEAST_FALL * max(finite, default=0.0):
        raise TrainError(
            "comp find lr: the loss never falls between 1e-6 and 1. Are the labels right? Try more "
            "--steps, or another train.loss."
        )
    suggestion = rates[int(slopes[: low + 1].argmin())]
    folder = experiment.workspace.run
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(
        [["lr", "loss"], *zip(rates, losses, strict=True)]
    )
    files.write_text(folder / "find_lr.csv", table.getvalue())
    picture = folder / "find_lr.png"
    plot_rates(rates, losses, suggestion, picture)
    return Rates(tuple(rates), tuple(losses), suggestion, picture)


def find_batch(experiment: Experiment, fold: int, limit: int) -> BatchSizes:
    """Train on batches of 2, 4, 8, ... images until memory or `limit` ends it.

    Each size is timed on random pixels, which is what the device can do, and with the loader and
    the workers of the fold, which is what training does. On a device that runs out of memory, the
    largest that fits is then found by halving the interval to within an eighth. Nothing of the
    fold's run is touched.
    """
    job = open_job(experiment, fold)
    try:
        try_out(job, new_state(job, 1, 2), make_loader(job, 0))
    except RuntimeError as problem:
        if not is_oom(problem):  # else the first size says so
            raise
    trials: dict[int, BatchTrial] = {}
    size, failed = 2, None
    while size <= limit and failed is None:
        trial = _try(job, size)
        if trial is None:
            failed = size
            break
        trials[size] = trial
        size *= 2
    low = max(trials, default=1)
    while failed is not None and failed - low > max(1, low // 8):
        middle = (low + failed) // 2
        trial = _try(job, middle)
        if trial is None:
            failed = middle
        else:
            trials[middle], low = trial, middle
    if not trials:
        raise TrainError(
            f"comp find batch: not even two images of {job.config.image.size} px fit the device "
            f"with {job.config.model.name}"
        )
    ordered = tuple(trials[size] for size in sorted(trials))
    timed = [trial for trial in ordered if trial.loop is not None] or ordered
    fastest = max(timed, key=lambda trial: trial.loop or trial.speed)
    picture = experiment.workspace.run / "find_batch.png"
    plot_batches([(t.size, t.speed, t.memory, t.loop) for t in ordered], picture)
    return BatchSizes(ordered, max(trials), fastest.size, picture, limited=failed is None)


def _truth(job: Job, size: int) -> torch.Tensor:
    """Targets of the right shape for `size` images of the training size."""
    if job.masks is None:
        return torch.from_numpy(np.resize(job.target, (size, *job.target.shape[1:])))
    return torch.zeros((size, job.masks.layers, *job.images.shape[1:3]), dtype=torch.uint8)


def _try(job: Job, size: int) -> BatchTrial | None:
    """Speeds and memory of one batch size; None when it does not fit."""
    cuda = job.device.cuda
    try:
        free_memory()
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        state = new_state(job, 1, size)
        state.net.module.train()
        speed = _alone(job, state, size)
        memory = torch.cuda.max_memory_allocated() >> 20 if cuda else None
        with worker_deaths():
            loop = _with_loader(job, state, size)
    except RuntimeError as problem:
        if not is_oom(problem):
            raise
        say(f"find batch: {size} at once: do not fit")
        return None
    with_loader = "" if loop is None else f"{loop:.1f} images/s in training, "
    say(f"find batch: {size} at once: {with_loader}{speed:.1f} the device alone")
    return BatchTrial(size, speed, memory, loop)


def _alone(job: Job, state: TrainState, size: int) -> float:
    """Images a second of updates on random pixels that lie on the device."""
    bag = (job.config.image.bag_size,) if job.config.data.bag is not None else ()
    pixels = job.device.send(noise((size, *bag, *job.images.shape[1:]), job.config.image.bits))
    target = job.device.send(_truth(job, size))
    return _timed(job, state, itertools.repeat((pixels, target)), _UPDATES)


def _with_loader(job: Job, state: TrainState, size: int) -> float | None:
    """Images a second of training: the batches of the fold, by its workers. What they have ready
    before the clock starts is thrown away."""
    train = job.config.train.model_copy(update={"batch_size": size})
    job = replace(job, config=job.config.model_copy(update={"train": train}))
    loader = make_loader(job, job.workers)
    if size > loader.images:
        return None
    whole = (batch for batch in _endless(job, loader) if len(batch[0]) == size)
    ahead = _READY * max(1, job.workers)
    speed = _timed(job, state, itertools.islice(whole, ahead, None), max(_UPDATES, job.workers))
    whole.close()
    return speed


def _timed(job: Job, state: TrainState, batches: Iterator[Batch], updates: int) -> float:
    """Images a second of so many updates or more, after one that is not timed."""
    seen, started = 0, math.inf
    for number, (images, target) in enumerate(batches):
        update(job, state, images, target)
        seen += len(images)
        if number == 0:
            settle(job, state)  # waits for the device
            seen, started = 0, time.perf_counter()
        elif number >= updates and time.perf_counter() - started > _SECONDS:
            break
    settle(job, state)
    return seen / (time.perf_counter() - started)
