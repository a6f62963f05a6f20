"""The batches that a fold is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.data.cache.store import Images
from comp.data.loader.beside import Guests, Joined
from comp.data.loader.cutpaste import CutPaste, make_cutpaste
from comp.data.loader.loader import Loader, train_loader
from comp.data.loader.oversample import Copied, with_copies
from comp.data.loader.recipes import make_recipe
from comp.data.loader.sampler import Part
from comp.tasks.kinds import as_soft
from comp.train.job import Job
from comp.train.mixing import needed

Array = np.ndarray[Any, Any]


def make_loader(job: Job, workers: int) -> Loader:
    """The batches of the training part of the fold; `workers` processes prepare them."""
    config, augment = job.config, job.config.augment
    images, target, rows = with_copies(
        job.images,
        job.target,
        job.train_rows,
        augment.copies,
        job.classes,
        seed=config.seed,
        fold=job.fold,
    )
    labels = _soft(job, images, target)
    guests = _guests(job, len(target))
    if guests:
        images = Joined([images, *(part.images for part in job.beside)])
        if labels is None:
            target = np.concatenate([target, *(part.spread(part.target) for part in job.beside)])
    return train_loader(
        images,
        rows,
        target,
        make_recipe(augment.recipe, config.image.size),
        seed=config.seed,
        fold=job.fold,
        batch_size=config.train.batch_size,
        workers=workers,
        sampler=config.train.sampler,
        strength=config.train.sampler_strength,
        paste=_paste(job) if augment.cutpaste else None,
        masks=job.masks,
        side=config.image.size if config.image.resize == "tiles" else None,
        labels=labels,
        guests=guests,
        part=_part(job) if job.world.shared else None,
    )


def _part(job: Job) -> Part:
    """Which images of each batch this process needs: its own, and those that they are mixed with.

    Their order, and every draw, is that of one process.
    """

    def part(epoch: int, step: int, count: int) -> Sequence[int]:
        low, high = job.world.slices(count)[job.world.rank]
        where = (job.config.seed, job.fold, epoch, step)
        return [int(place) for place in needed(job.config.augment, count, where, low, high)]

    return part


def _soft(job: Job, images: Images, target: Array) -> Array | None:
    """(N, C) float32: what is learned of all images where some targets are soft, else None.

    images, target: those of the index, with copies of some behind.
    """
    if job.soft is None and not any(part.target.dtype.kind == "f" for part in job.beside):
        return None
    own = as_soft(target, job.columns)
    if job.soft is not None:
        copied = images.source if isinstance(images, Copied) else np.empty(0, np.int64)
        own = np.concatenate([job.soft, job.soft[copied]])
    others = (part.spread(as_soft(part.target, job.columns)) for part in job.beside)
    return np.concatenate([own, *others])


def _guests(job: Job, own: int) -> list[Guests]:
    """The rows of `job.beside` behind `own` images of the index."""
    out, start = [], own
    for part in job.beside:
        out.append(Guests(part.rows + start, part.share))
        start += len(part.images)
    return out


def _paste(job: Job) -> CutPaste:
    image, share = job.config.image, job.config.augment.cutpaste
    return make_cutpaste(job.images, job.target, job.train_rows, job.mask_paths, image, share)
