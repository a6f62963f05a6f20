"""The batches that a fold is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.schema import Config
from comp.data.cache.store import Images
from comp.data.loader.bag_target import BagSampling
from comp.data.loader.beside import Guests, Joined
from comp.data.loader.cutpaste import CutPaste, make_cutpaste
from comp.data.loader.loader import Loader, train_loader
from comp.data.loader.oversample import Copied, with_copies
from comp.data.loader.recipes import make_recipe
from comp.data.loader.sampler import Part
from comp.models.bags.pools import POOLS
from comp.tasks.kinds import as_soft
from comp.train.aux import aux_matrix
from comp.train.hardware.choice import batched
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
    copied = images
    guests = _guests(job, len(target))
    if guests:
        images = Joined([images, *(part.images for part in job.beside)])
        if labels is None:
            target = np.concatenate([target, *(part.spread(part.target) for part in job.beside)])
    if job.aux:
        labels = as_soft(target, job.columns) if labels is None else labels
        labels = np.hstack([labels, _aux(job, copied, len(labels))])
    return train_loader(
        images,
        rows,
        target,
        make_recipe(augment.recipe, config.image.size, config.image.channels),
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
        bag=bag_sampling(config),
        batched=batched(config, job.device),
        resident=job.resident,
        part=_part(job) if job.world.shared else None,
        weights=_weights(job, images),
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


def _weights(job: Job, images: Images) -> Array | None:
    """(n,) how much each image counts: copies as what they are copied from, those beside the
    index as the average. images: those of the index, with copies and others behind."""
    own = job.loss_weights
    if own is None:
        return None
    first = images.parts[0] if isinstance(images, Joined) else images
    copied = own[first.source] if isinstance(first, Copied) else own[:0]
    out = np.concatenate([own, copied])
    return np.concatenate([out, np.ones(max(0, len(images) - len(out)), dtype=np.float32)])


def bag_sampling(config: Config) -> BagSampling | None:
    """Which images of a bag are seen at a time; None without `data.bag`.

    They are changed alike where `augment.bag` says so; `auto`: where what is learned is how they
    follow each other.
    """
    if config.data.bag is None:
        return None
    alike = {"alike": True, "each": False}.get(config.augment.bag)
    if alike is None:
        pool = POOLS[config.model.pool_bag]
        alike = pool.ordered or config.image.bag_sample == "window"
    return BagSampling(config.image.bag_size, config.image.bag_sample, alike)


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


def _aux(job: Job, images: Images, count: int) -> Array:
    """(count, K) float32: the auxiliary targets of the images of the index and of their copies;
    those of all further images are not known.

    images: those of the index, with copies of some behind.
    """
    own = aux_matrix(job.aux, job.train_rows)
    source = images.source if isinstance(images, Copied) else np.empty(0, np.int64)
    out = np.full((count, own.shape[1]), np.nan, dtype=np.float32)
    out[: len(own) + len(source)] = np.concatenate([own, own[source]])
    return out


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
