"""A small part of the data with the label shares of the whole, for quick experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import ConfigError
from comp.core.rng import derive
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]
MAX_SWAPS = 1000
_LEAST_GAIN = 1e-6


@dataclass(frozen=True)
class Subset:
    """Some rows of an index, and how far their labels are from the whole.

    `rows`      sorted row numbers
    `distance`  the largest difference, over the classes, between a class's share of the subset and
                its share of the whole; in [0, 1]
    `worst`     the class where it is
    """

    rows: Array
    distance: float
    worst: str


def choose_subset(index: Index, plan: FoldPlan, size: int, seed: int) -> Subset:
    """`size` images: from each fold of the plan its share, with the labels of the whole fold.

    A function of ids, labels, plan, size and seed. Raises ConfigError when `size` is not between
    twice the number of folds and the number of images.
    """
    if not 2 * plan.count <= size <= len(index):
        raise ConfigError(
            f"train.subset: {size} images; possible are {2 * plan.count} to {len(index)} "
            f"({plan.count} folds, {len(index)} images)"
        )
    hot, fold = index.cells, np.asarray(plan.fold) - int(plan.fold.min())  # see ALWAYS
    ends = np.cumsum(np.bincount(fold)) * size // len(index)
    takes = np.diff(ends, prepend=0)
    parts, over = [], np.zeros(hot.shape[1])
    for k, take in enumerate(takes):
        part = _part(np.flatnonzero(fold == k), hot, int(take), derive(seed, "subset", k), over)
        over = over + hot[part].sum(axis=0) - take * hot[fold == k].mean(axis=0)
        parts.append(part)
    rows = np.sort(np.concatenate(parts))
    gap = np.abs(hot[rows].mean(axis=0) - hot.mean(axis=0))
    return Subset(rows, float(gap.max()), index.strata[int(gap.argmax())])


def _part(rows: Array, hot: Array, take: int, seed: int, over: Array) -> Array:
    """`take` of the `rows`: a random draw, then swaps for as long as they bring the class counts
    nearer to those of all the rows (least squares).

    over: (C,) the surplus of the parts before; without it, even folds would all err the same way.
    """
    if take >= len(rows):
        return rows
    labels = hot[rows].astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(rows))
    inside, outside = order[:take].copy(), order[take:].copy()
    gap = over + labels[inside].sum(axis=0) - take * labels.mean(axis=0)
    lengths = (labels**2).sum(axis=1)
    for place in range(min(take, MAX_SWAPS)):
        rest = gap - labels[inside[place]]
        cost = 2 * labels[outside] @ rest + lengths[outside]
        best = int(cost.argmin())
        if cost[best] + rest @ rest < gap @ gap - _LEAST_GAIN:
            gap = rest + labels[outside[best]]
            inside[place], outside[best] = outside[best], inside[place]
    return rows[inside]
