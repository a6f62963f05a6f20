"""First folds of units (images, or groups of them), which exchanges then make even.

`deal`       neighbours in sorted order go to different folds; for groups, the heaviest first, each
             to the fold that has the least of what it holds
`iterative`  iterative stratification (Sechidis et al. 2011), of iterative-stratification: the
             rarest label first, each unit to the fold that wants most of it
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DEAL, ITERATIVE = "deal", "iterative"


def deal(hot: Array, count: int, draw: np.random.Generator, sizes: Array | None = None) -> Array:
    """Neighbours in sorted order (by size, then by labels, rare ones first) to different folds."""
    order = draw.permutation(len(hot))
    rare_first = np.argsort(hot.sum(axis=0), kind="stable")
    packed = np.packbits(hot[order][:, rare_first].astype(bool), axis=1)
    packed = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))))
    keys = list(packed.view(">u8").astype(np.uint64).T[::-1])
    if sizes is not None:
        keys.append(-sizes[order])
    order = order[np.lexsort(keys)] if keys else order
    rounds = np.tile(np.arange(count), (-(-len(hot) // count), 1))
    fold = np.empty(len(hot), dtype=np.int64)
    fold[order] = draw.permuted(rounds, axis=1).ravel()[: len(hot)]
    return fold


def place(units: Array, weights: Array, there: Array, draw: np.random.Generator) -> Array:
    """The heaviest unit first, each where it adds least to what is too much already.

    units: (U, C) whole numbers. weights: (C,). there: (K, C) what each fold has before.
    """
    shuffled = draw.permutation(len(units))
    heavy = (units * units) @ weights
    names = draw.permutation(len(there))
    counts = there[names]
    weighed = units * weights
    fold = np.empty(len(units), dtype=np.int64)
    for unit in shuffled[np.argsort(-heavy[shuffled], kind="stable")]:
        place = int((counts @ weighed[unit]).argmin())
        counts[place] += units[unit]
        fold[unit] = names[place]
    return fold


def iterative(hot: Array, count: int, seed: int) -> Array:
    """The fold of each unit, (U,) int64, by iterative stratification. hot: (U, C) zeros and ones.

    It depends on the order of the rows, so they must be sorted. Sizes may be far apart.
    """
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    labels = hot.astype(bool)
    if labels.shape[1] == 1:  # it refuses a single column
        labels = np.hstack([labels, ~labels])
    splitter = MultilabelStratifiedKFold(count, shuffle=True, random_state=seed % 2**32)
    fold = np.empty(len(labels), dtype=np.int64)
    for number, (_, valid) in enumerate(splitter.split(labels, labels)):
        fold[valid] = number
    return fold


def even_sizes(fold: Array, count: int, draw: np.random.Generator) -> Array:
    """The folds with units moved, drawn at random, from large ones to small ones: sizes are then
    within one."""
    sizes = np.bincount(fold, minlength=count)
    wanted = np.full(count, len(fold) // count)
    wanted[np.argsort(-sizes, kind="stable")[: len(fold) % count]] += 1
    too_many = [
        draw.permutation(np.flatnonzero(fold == number))[wanted[number] :]
        for number in range(count)
    ]
    out = fold.copy()
    out[np.concatenate(too_many)] = np.repeat(np.arange(count), np.maximum(0, wanted - sizes))
    return out
