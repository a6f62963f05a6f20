"""`comp pack`: every image decoded and every mask made once, before any training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from comp.data.cache.mask_pack import open_masks
from comp.data.cache.pack import open_pack
from comp.data.images.geometry import OWN_SIZE
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_test
from comp.stages.experiment import Experiment, read_train


@dataclass(frozen=True)
class Packed:
    """A pack: of which part, how many images, where (None where nothing is kept), how large, and
    the seconds that it took to make or to open."""

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
    out = []
    for part, index in (("train", train), ("test", test)):
        started = time.monotonic()
        cache = experiment.workspace.cache
        made = open_pack(index, experiment.config.image, cache, verify=verify)
        files = [] if made.folder is None else [*made.folder.iterdir()]
        size = sum(path.stat().st_size for path in files)
        out.append(Packed(part, len(index), made.folder, size, time.monotonic() - started))
    if train.masks is not None and experiment.config.image.resize not in OWN_SIZE:
        out.append(_masks(experiment, train))
    return out


def _masks(experiment: Experiment, train: Index) -> Packed:
    started = time.monotonic()
    masks = open_masks(train, experiment.config.image, experiment.workspace.cache)
    place = getattr(masks, "filename", None)
    cache = experiment.workspace.cache
    folder = None if place is None else cache / Path(place).parent.name
    return Packed("masks", len(train), folder, masks.nbytes, time.monotonic() - started)
