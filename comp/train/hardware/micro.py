"""`train.micro_batch: auto`: how many images fit, found once by trial and remembered in the run.

The number changes what BatchNorm sees, so a fold that is resumed keeps that of its checkpoint, and
the other folds of the run begin with the one that was found.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

from comp.config.loading import plain
from comp.config.schema import TrainConfig
from comp.core import files
from comp.core.checksums import digest_lines
from comp.core.errors import CompError
from comp.core.progress import say
from comp.data.loader.loader import Loader
from comp.models.device import is_oom
from comp.models.halving import free_memory
from comp.train.hardware.copies import on_device
from comp.train.job import Job
from comp.train.optim import state_to_come
from comp.train.train_state import TrainState
from comp.train.trial import as_it_was, forward_and_back

_OF_TRAIN = (  # what of `train` the memory of a step depends on
    *("batch_size", "opt", "ema", "loss", "precision", "compile", "deterministic"),
    *("grad_checkpointing", "freeze_epochs", "teacher", "pseudo"),
)


def most_images(train: TrainConfig) -> int:
    """How many images a fold begins with at once, before any is found to be too many."""
    return train.micro_batch if isinstance(train.micro_batch, int) else train.batch_size


def choose_micro_batch(job: Job, state: TrainState, loader: Loader) -> None:
    """Set `state.micro_batch` where the config says `auto` and the fold begins: to what the run
    remembers of this device, or to the largest half of a half ... of a batch that fits."""
    if job.config.train.micro_batch != "auto" or state.updates or state.skipped:
        return
    known = _remembered(job)
    if known is not None:
        state.micro_batch = min(state.micro_batch, known)
        say(f"{job.name}: {state.micro_batch} images at a time (found before, {_file(job)})")
        return
    images, target = next(on_device(loader, job.device, 0))
    size = state.micro_batch
    while not _fits(job, state, images[:size], target[:size]) and size > 1:
        size = math.ceil(size / 2)  # one image that does not fit is told by the first step
    state.micro_batch = size
    remember(job, size)
    whole = size == job.config.train.batch_size
    why = "the whole batch fits" if whole else "more does not fit"
    say(f"{job.name}: {size} images at a time ({why}, found by trial)")


def _fits(job: Job, state: TrainState, images: torch.Tensor, target: torch.Tensor) -> bool:
    """Whether a forward and a backward pass have room, beside what the optimizer will keep."""
    try:
        with as_it_was(state):
            place, coming = (
                job.device.torch_device,
                state_to_come(state.optimizer, job.config.train),
            )
            held = [  # noqa: F841 - takes the room that the moments will take
                torch.empty(size, dtype=torch.uint8, device=place) for size in coming if size
            ]
            forward_and_back(job, state, images, target)
        return True
    except RuntimeError as problem:
        if not is_oom(problem):
            raise
    free_memory()  # outside of the handler, which holds the tensors of the try
    return False


def remember(job: Job, size: int) -> None:
    """Keep a number for the other folds of the run."""
    if job.config.train.micro_batch == "auto":
        files.write_json(_file(job), {"key": _key(job), "micro_batch": size})


def _remembered(job: Job) -> int | None:
    try:
        found = files.read_json(_file(job))
        if found.get("key") == _key(job):
            return max(1, int(found["micro_batch"]))
    except (CompError, KeyError, TypeError, ValueError):
        pass
    return None


def _file(job: Job) -> Path:
    return job.run.path.parent / "micro_batch.json"


def _key(job: Job) -> str:
    """A digest of what the memory that a step takes depends on."""
    whole, kept = plain(job.config), job.resident
    own = {
        "device": job.device.details(),
        "train": {name: whole["train"][name] for name in _OF_TRAIN},
        "bag": whole["data"]["bag"],
        "outputs": job.columns,
        "aux": [column.classes or 1 for column in job.aux],
        "resident": None if kept is None or kept.released else list(kept.images.shape),
        **{name: whole[name] for name in ("task", "model", "image", "augment")},
    }
    return digest_lines([json.dumps(own, sort_keys=True)])
