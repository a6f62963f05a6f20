"""`comp pack`: decode every image and make every mask once, before training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from comp.config.schema import ImageConfig
from comp.data.cache.image_range import with_range
from comp.data.cache.pack import open_pack
from comp.data.cache.shards import join_shards, make_shard
from comp.data.images.resize import OWN_SIZE
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_test
from comp.stages.experiment import Experiment, read_train


@dataclass(frozen=True)
class Packed:
    """One pack: its part (train, test or masks), the number of images, the folder (None where
    nothing is packed), its size in bytes, and the seconds that it took to make or to open."""

    part: str
    images: int
    folder: Path | None
    bytes: int
    seconds: float


def pack(experiment: Experiment, *, verify: bool = False) -> list[Packed]:
    """Pack the training and the test images, and the masks, where they are not packed yet.

    verify: compare every row with its sum; what is damaged is made again. Raises DataError with
    the images of a part that cannot be read.
    """
    out, both = [], _images(experiment)
    for part, (index, image, cache) in zip(("train", "test"), both, strict=True):
        started = time.monotonic()
        made = open_pack(index, image, cache, masks=False, verify=verify)
        out.append(_packed(part, len(index), made.folder, started))
    train, image, cache = both[0]
    if train.masks is not None and image.resize not in OWN_SIZE:
        started = time.monotonic()
        made = open_pack(train, image, cache, verify=verify)
        out.append(_packed("masks", len(train), made.mask_folder, started))
    return out


def pack_shard(experiment: Experiment, shard: int, shards: int) -> None:
    """Pack one of so many shards of the training and of the test images."""
    for index, image, cache in _images(experiment):
        make_shard(index, image, cache, shard, shards)


def join_packed(experiment: Experiment, shards: int) -> None:
    """Join what `pack_shard` packed; what is missing is packed here."""
    for index, image, cache in _images(experiment):
        join_shards(index, image, cache, shards)


def _images(experiment: Experiment) -> list[tuple[Index, ImageConfig, Path]]:
    """The training and the test images, the settings, and the cache."""
    train, cache = read_train(experiment), experiment.workspace.cache
    test = read_test(experiment.data, experiment.task, train.classes)
    image = with_range(experiment.config.image, train, cache)
    return [(train, image, cache), (test, image, cache)]


def _packed(part: str, images: int, folder: Path | None, started: float) -> Packed:
    files = [] if folder is None else [*folder.iterdir()]
    size = sum(path.stat().st_size for path in files)
    return Packed(part, images, folder, size, time.monotonic() - started)
