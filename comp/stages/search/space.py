"""What `comp tune` may change: key paths, and the values that fit a task and its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.data.index.index import Index
from comp.data.loader.recipes import RECIPES, flips_writing
from comp.stages.experiment import Experiment
from comp.stages.search.sweep import Span, Values

RARE = 3.0  # the largest class over the smallest, from which samplers and losses may matter
SMALLER = 0.75  # a second image size, in parts of the given one: faster, so more epochs
LEAST_SIDE = 48
_RATES = 4.0  # how far the learning rate may go, up and down

Space = dict[str, Span | Values]


def space_of(experiment: Experiment, index: Index, models: tuple[str, ...] = ()) -> Space:
    """The values that a search may try, the given ones among them.

    models: other networks (values of model.name) that may be tried. Recipes that mirror images are
    left out where the classes may be letters or digits.
    """
    config, task = experiment.config, experiment.task
    lr = config.train.lr
    space: Space = {"train.lr": Span(low=lr / _RATES, high=lr * _RATES, log=True)}
    recipes = [name for name in RECIPES if not flips_writing(name, index.classes)]
    space["augment.recipe"] = _with(config.augment.recipe, recipes)
    small = int(config.image.size * SMALLER) // 16 * 16
    if small >= LEAST_SIDE and not task.spatial:
        space["image.size"] = _with(config.image.size, [small])
    if models:
        space["model.name"] = _with(config.model.name, models)
    if task.spatial:
        return space
    if task.link.measures:
        if isinstance(config.train.loss, str):
            own = task.loss if config.train.loss == "auto" else config.train.loss
            space["train.loss"] = _with(own, ["mse", "huber", "mae"])
        space["augment.mixup"] = _with(config.augment.mixup, [0.0, 0.2])
        return space
    space["train.label_smoothing"] = _with(config.train.label_smoothing, [0.0, 0.1])
    space["augment.mixup"] = _with(config.augment.mixup, [0.0, 0.2])
    if imbalance(index) >= RARE:
        space["train.sampler"] = _with(config.train.sampler, ["shuffle", "balanced"])
        if isinstance(config.train.loss, str):
            space["train.loss"] = _with(config.train.loss, ["auto", "focal"])
    return space


def given(experiment: Experiment, space: Space) -> dict[str, Any]:
    """The values that the config has for the keys of a space."""
    found = {}
    for path in space:
        value: Any = experiment.config
        for part in path.split("."):
            value = getattr(value, part)
        found[path] = value
    return found


def imbalance(index: Index) -> float:
    """How many times as often the most frequent class occurs as the rarest, or as its absence."""
    if index.measured:
        return 1.0
    counts = index.cells.sum(axis=0).astype(np.float64)
    if index.labels.ndim == 2 and index.labels.dtype.kind in "iub":
        counts = np.concatenate([counts, len(index) - counts])
    return float(counts.max() / max(1.0, counts.min()))


def _with(own: Any, others: Any) -> tuple[Any, ...]:
    """The values, the config's own first, each once."""
    return tuple(dict.fromkeys([own, *others]))
