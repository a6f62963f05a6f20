"""`data.new`: an answer for classes that nobody has seen, and how its threshold can be honest.

Each fold leaves some classes out of its training. Its images of these classes are then what new
ones will be for the test set, and their right answer is the new class: a threshold that is tuned
on them is tuned on what the network never saw. Images that the table itself calls new are never
trained on, in any fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from comp.core import rng
from comp.core.errors import ConfigError
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]


def with_new(index: Index, name: str) -> Index:
    """The index with the new class as its last one, whether it has images or not."""
    others = tuple(other for other in index.classes if other != name)
    if len(others) == len(index.classes):
        return replace(index, classes=(*others, name))
    place = {other: number for number, other in enumerate((*others, name))}
    moved = np.array([place[other] for other in index.classes], dtype=np.int64)
    return replace(index, classes=(*others, name), target=moved[index.labels])


def held_out(classes: int, share: float, seed: int, folds: int) -> Array:
    """(F, K) bool: which classes each fold does not learn; of K the last is the new one, which no
    fold learns. Each other class is left out of one fold at the most.

    Raises ConfigError where there are not enough classes for that.
    """
    known = classes - 1
    each = max(1, round(share * known))
    if each * folds > known:
        raise ConfigError(
            f"data.new_share: {share:g} of {known} classes is {each} per fold, which is more than "
            f"{known} in {folds} folds; each class is left out once at the most. Use at most "
            f"{known // folds / known:.2g}, or fewer folds (folds.count)"
        )
    order = rng.generator(seed, "held out classes").permutation(known)
    out = np.zeros((folds, classes), dtype=bool)
    out[:, -1] = True
    for fold in range(folds):
        out[fold, order[fold * each : (fold + 1) * each]] = True
    return out


def new_target(target: Array, fold: Array, held: Array) -> Array:
    """(N,) class numbers: the new class where an image's class is left out of its fold.

    fold: (N,) numbers; held: see `held_out`.
    """
    return np.where(held[fold, target], held.shape[1] - 1, target)


def learned(target: Array, rows: Array, held: Sequence[bool] | Array) -> Array:
    """The rows whose class is learned. held: (K,) of one fold."""
    return np.asarray(rows[~np.asarray(held)[target[rows]]])
