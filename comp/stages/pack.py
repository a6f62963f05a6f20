"""`comp pack`: every image decoded once, before any training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from comp.data.layouts import read_test
from comp.data.pack import open_pack
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
    """Pack the training and the test images, where they are not packed yet.

    verify: compare every row with its sum; what is damaged is made again. Raises DataError with
    the images of a part that cannot be read.
    """
    train = read_train(experiment)
    test = read_test(experiment.config.data, experiment.task, train.classes)
    out = []
    for part, index in (("train", train), ("test", test)):
        started = time.monotonic()
        cache = experiment.workspace.cache
        made = open_pack(index, experiment.config.image, cache, verify=verify)
        files = [] if made.folder is None else [*made.folder.iterdir()]
        size = sum(path.stat().st_size for path in files)
        out.append(Packed(part, len(index), made.folder, size, time.monotonic() - started))
    return out
