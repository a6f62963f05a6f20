"""The ways to part an index into folds.

Each is a function of sorted rows and a seed: the same on any machine and from rows in any order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core import rng
from comp.data.folds.balance import one_hot
from comp.data.folds.stratify import spread_groups, spread_images
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scheme:
    """One way to part.

    `parts`    zeros and ones (N, C), group numbers (N,), folds, seed -> fold of each row, (N,)
    `grouped`  whether it holds groups together
    `ndim`     the dimensions of the targets that it is for, None where it is for all
    """

    parts: Callable[[Array, Array, int, int], Array]
    grouped: bool
    ndim: int | None


def split(scheme: Scheme, index: Index, count: int, seed: int) -> Array:
    """The fold of each row of an index: (N,) int64 in 0..count-1, none of them empty.

    There must be at least `count` rows, or groups where the scheme holds them together.
    """
    names = index.groups if index.groups is not None else index.ids
    groups = np.unique(np.array(names, dtype=object), return_inverse=True)[1]
    state = rng.derive(seed, "folds")
    hot = one_hot(index)
    fold = scheme.parts(hot, groups, count, state)
    if len(np.unique(fold)) < count:  # possible where a few groups hold nearly all rows
        fold = _by_size(hot, groups, count, state)
    return np.asarray(fold, dtype=np.int64)


def _random(hot: Array, _: Array, count: int, state: int) -> Array:
    fold = np.empty(len(hot), dtype=np.int64)
    fold[np.random.default_rng(state).permutation(len(hot))] = np.arange(len(hot)) % count
    return fold


def _stratified(hot: Array, _: Array, count: int, state: int) -> Array:
    """Dealt out class by class: the sizes of the folds and each class come out within one."""
    draw = np.random.default_rng(state)
    shuffled, names = draw.permutation(len(hot)), draw.permutation(count)
    order = shuffled[np.argsort(hot[shuffled].argmax(axis=1), kind="stable")]
    fold = np.empty(len(hot), dtype=np.int64)
    fold[order] = names[np.arange(len(hot)) % count]
    return fold


def _by_size(_: Array, groups: Array, count: int, state: int) -> Array:
    """The largest group first, each to the smallest fold; equal groups in a random order.

    The rule of scikit-learn's GroupKFold, whose order of equal groups is left to an unstable
    sort: that would be another plan on another machine.
    """
    sizes = np.bincount(groups)
    shuffled = np.random.default_rng(state).permutation(len(sizes))
    heap = [(0, number) for number in range(count)]
    home = np.empty(len(sizes), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        filled, number = heapq.heappop(heap)
        home[group] = number
        heapq.heappush(heap, (filled + int(sizes[group]), number))
    return home[groups]


def _multilabel(hot: Array, _: Array, count: int, state: int) -> Array:
    return spread_images(hot, count, state)


def _with_groups(hot: Array, groups: Array, count: int, state: int) -> Array:
    return spread_groups(hot, groups, count, state)[groups]


SCHEMES = {
    "random": Scheme(_random, grouped=False, ndim=None),
    "stratified": Scheme(_stratified, grouped=False, ndim=1),
    "group": Scheme(_by_size, grouped=True, ndim=None),
    "stratified_group": Scheme(_with_groups, grouped=True, ndim=1),
    "multilabel": Scheme(_multilabel, grouped=False, ndim=2),
    "multilabel_group": Scheme(_with_groups, grouped=True, ndim=2),
}
AUTO = {  # (dimensions of the target, whether there are groups) -> scheme
    (1, False): "stratified",
    (1, True): "stratified_group",
    (2, False): "multilabel",
    (2, True): "multilabel_group",
}
