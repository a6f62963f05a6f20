"""The second member of `comp run`: a probe on the features of the same network, on larger images.

It needs no training, so it sees images two or three times as large in a small part of the time, and
with few images it is often as good as the network (benchmarks/winners.md).
"""

from __future__ import annotations

from typing import Any

from comp.config.schema import Config
from comp.data.images.resize import OWN_SIZE
from comp.data.loader.recipes import mirrors
from comp.inference.views import TTAS
from comp.scaffold.guess import SIZES
from comp.stages.search.budget import Speed

SHARE = 0.15  # of the time, for the probe
_TASKS = ("binary", "multiclass", "multilabel")


def wants_probe(config: Config) -> bool:
    """Whether a probe can be fitted beside the networks of a config: for classes of single images,
    with weights that have learned something."""
    learned = config.model.pretrained or config.model.weights is not None
    plain = config.data.bag is None and config.model.probe is None and config.data.new is None
    return learned and plain and config.task in _TASKS and config.image.resize not in OWN_SIZE


def probe_settings(
    config: Config, largest: int, seconds: float, speed: Speed, images: int
) -> dict[str, Any] | None:
    """What the config of the probe has that `config` has not; None where there is no time for it.

    largest: side in pixels that the images are worth. seconds: for the features of `images` images,
    in all views. speed: of `config` at its own size.
    """
    views = mirrors(config.augment.recipe)
    count = len(list(TTAS[views]()))
    sizes = [side for side in SIZES if config.image.size < side <= largest]
    for side in [*reversed(sizes), config.image.size]:
        if count * images / speed.at(side / config.image.size).valid <= seconds:
            return {
                "model.probe": "logistic",
                "model.pool": "max",
                "model.views": views,
                "image.size": side,
                "predict.tta": "none",
            }
    return None
