"""The batches that a fold is trained on."""

from __future__ import annotations

from comp.data.loader.cutpaste import CutPaste, make_cutpaste
from comp.data.loader.loader import Loader, train_loader
from comp.data.loader.oversample import with_copies
from comp.data.loader.recipes import make_recipe
from comp.train.job import Job


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
    )


def _paste(job: Job) -> CutPaste:
    image, share = job.config.image, job.config.augment.cutpaste
    return make_cutpaste(job.images, job.target, job.train_rows, job.mask_paths, image, share)
