"""Which training rows an epoch shows, and how often: functions of the target and the epoch's draw.

Every sampler gives an epoch the same length each time, so that a schedule knows its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _shuffle(target: Array, _: float, generator: np.random.Generator) -> Array:
    """Every row once."""
    return generator.permutation(len(target))


def _oversample(target: Array, strength: float, generator: np.random.Generator) -> Array:
    """Rows of rare classes several times: a class n times rarer than the commonest is shown
    n ** strength times as often; at 1 all classes are shown alike."""
    return _draw(_rarity(target, strength), generator)


def _undersample(target: Array, strength: float, generator: np.random.Generator) -> Array:
    """A part of the common classes, another one each epoch; at strength 1 as many of each class as
    there are of the rarest."""
    often = _rarity(target, strength)
    return _draw(often / often.max(initial=0), generator)


def _rarity(target: Array, strength: float) -> Array:
    """(n,) at least 1: how often each row is to be shown, next to a row of the commonest class.

    A row with several labels counts as its rarest one does (Gupta et al. 2019, LVIS, repeat factor
    sampling); rows without a label are a class of their own.
    """
    if target.ndim == 1:
        hot = target[:, None] == np.unique(target)
    else:
        hot = np.column_stack([target > 0, ~(target > 0).any(axis=1)])
    counts = np.maximum(hot.sum(axis=0), 1)
    factors = (counts.max() / counts) ** strength
    return np.asarray((hot * factors).max(axis=1))


def _draw(often: Array, generator: np.random.Generator) -> Array:
    """Places in a random order, each about `often` times: that number rounded down or up.

    Systematic: an even comb over rows that are sorted by how often they are shown, and at random
    among their like, so that the share of each class is right within one row.
    """
    mixed = generator.permutation(len(often))
    mixed = mixed[np.argsort(often[mixed], kind="stable")]
    ends = np.cumsum(often[mixed])
    total = round(float(ends[-1]))
    comb = (np.arange(total) + 0.5) * (ends[-1] / total)
    chosen = mixed[np.minimum(np.searchsorted(ends, comb, side="right"), len(mixed) - 1)]
    return generator.permutation(chosen)


# name -> function of the training rows' target, `train.sampler_strength` and the epoch's generator;
# it returns places among the training rows: the order of an epoch. Only `shuffle` promises each
# row once.
SAMPLERS: dict[str, Callable[[Array, float, np.random.Generator], Array]] = {
    "shuffle": _shuffle,
    "balanced": _oversample,
    "undersample": _undersample,
}
