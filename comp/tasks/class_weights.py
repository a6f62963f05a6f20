"""Class weights of a loss, from how often each class occurs in the training part of a fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from comp.core.errors import pick
from comp.tasks.counts import IGNORED, UNKNOWN

Array = np.ndarray[Any, Any]

# name -> counts (n,) of classes, rows -> weights (n,) before they are scaled
CLASS_WEIGHTS: dict[str, Callable[[Array, int], Array]] = {
    "inverse": lambda counts, _: 1 / counts,
    # Cui et al. 2019, with the beta = (N - 1) / N that the paper derives
    "effective": lambda counts, rows: 1 / (1 - (1 - 1 / rows) ** counts),
}


def class_weights(counts: Array, how: str) -> Array:
    """(n,) float64 weights of classes that occur `counts` (n,) times, for `train.class_weights`.

    Scaled so that the mean over the rows is one: the learning rate keeps its meaning. A class that
    does not occur counts as if it occurred once.
    """
    rows = max(2, int(counts.sum()))
    weights = pick(CLASS_WEIGHTS, how, "train.class_weights")(np.maximum(counts, 1), rows)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def count_cells(target: Array, link: str, columns: int) -> Array:
    """How often each class, (C,), or for a sigmoid zeros and ones in each column, (2, C), occur.

    target: (n,) class numbers or (n, C) zeros and ones, of which unknown ones do not count; masks
    (n, 1, H, W) or (n, C, H, W), whose ignored pixels do not count.
    """
    judged = target != (IGNORED if target.ndim > 2 else UNKNOWN)
    if link == "softmax":
        return np.bincount(target[judged].ravel(), minlength=columns)
    over = (len(target), columns, -1)
    ones = ((target > 0) & judged).reshape(over).sum(axis=(0, 2))
    return np.stack([judged.reshape(over).sum(axis=(0, 2)) - ones, ones])


def link_weights(
    counts: Array, link: str, how: str, pos_weight: float | str | None
) -> Array | None:
    """The weights for `make_loss` from what `count_cells` found; None without weights.

    how: `train.class_weights`. pos_weight: None, the weight of a one in a 0/1 column, or "auto": as
    many times as zeros outnumber ones.
    """
    if how == "none" and pos_weight is None:
        return None
    if link == "softmax":
        return class_weights(counts, how)
    if how != "none":
        return np.stack([class_weights(column, how) for column in counts.T], axis=1)
    columns, total = counts.shape[1], counts.sum(axis=0).max()
    share = (
        counts[0] / np.maximum(counts[1], 1)
        if pos_weight == "auto"
        else np.full(columns, pos_weight)
    )
    return np.stack([np.ones(columns), np.maximum(share, 1 / total)])
