"""`comp pack`: decode every image and make every mask once, before training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from comp.data.cache.image_range import with_range
from comp.data.cache.pack import open_pack
from comp.data.images.resize import OWN_SIZE
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
    train = read_train(experiment)
    test = read_test(experiment.data, experiment.task, train.classes)
    out, cache = [], experiment.workspace.cache
    image = with_range(experiment.config.image, train, cache)
    for part, index in (("train", train), ("test", test)):
        started = time.monotonic()
        made = open_pack(index, image, cache, masks=False, verify=verify)
        out.append(_packed(part, len(index), made.folder, started))
    if train.masks is not None and image.resize not in OWN_SIZE:
        started = time.monotonic()
        made = open_pack(train, image, cache, verify=verify)
        out.append(_packed("masks", len(train), made.mask_folder, started))
    return out


def _packed(part: str, images: int, folder: Path | None, started: float) -> Packed:
    files = [] if folder is None else [*folder.iterdir()]
    size = sum(path.stat().st_size for path in files)
    return Packed(part, images, folder, size, time.monotonic() - started)
