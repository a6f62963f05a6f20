"""The ways to divide an index into folds.

Each is a function of sorted rows and a seed, the same on any machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core import rng
from comp.data.folds.starts import DEAL
from comp.data.folds.stratify import stratify_groups, stratify_images
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scheme:
    """One way to divide images into folds.

    `divide`   zeros and ones (N, C), group numbers (N,), number of folds, seed, start ->
               (N,) the fold of each row
    `grouped`  whether it keeps groups together
    `ndim`     the dimensions of the targets that it is for, None where it is for all
    `starts`   whether it has a choice of starts (`comp.data.folds.starts`)
    """

    divide: Callable[[Array, Array, int, int, str], Array]
    grouped: bool
    ndim: int | None
    starts: bool = False


def split(scheme: Scheme, index: Index, count: int, seed: int, start: str = DEAL) -> Array:
    """The fold of each row of an index: (N,) int64 in 0..count-1, none of them empty.

    There must be at least `count` rows, or groups where the scheme keeps them together.
    """
    names = index.groups if index.groups is not None else index.ids
    groups = np.unique(np.array(names, dtype=object), return_inverse=True)[1]
    state = rng.derive(seed, "folds")
    hot = _to_even_out(index)
    fold = scheme.divide(hot, groups, count, state, start)
    if len(np.unique(fold)) < count:  # possible where a few groups hold nearly all rows
        fold = _by_size(hot, groups, count, state, start)
    return np.asarray(fold, dtype=np.int64)


def _to_even_out(index: Index) -> Array:
    """(N, C + U) zeros and ones: the classes, and for U classes of which some cells are unknown the
    images that are known to have none, so that each fold can be scored."""
    some = np.flatnonzero(index.unknown)
    return np.hstack([index.cells, index.labels[:, some] == 0]) if len(some) else index.cells


def _random(hot: Array, groups: Array, count: int, state: int, start: str) -> Array:
    fold = np.empty(len(hot), dtype=np.int64)
    fold[np.random.default_rng(state).permutation(len(hot))] = np.arange(len(hot)) % count
    return fold


def _stratified(hot: Array, groups: Array, count: int, state: int, start: str) -> Array:
    """Dealt out class by class: the sizes of the folds and each class come out within one."""
    draw = np.random.default_rng(state)
    shuffled, names = draw.permutation(len(hot)), draw.permutation(count)
    order = shuffled[np.argsort(hot[shuffled].argmax(axis=1), kind="stable")]
    fold = np.empty(len(hot), dtype=np.int64)
    fold[order] = names[np.arange(len(hot)) % count]
    return fold


def _by_size(hot: Array, groups: Array, count: int, state: int, start: str) -> Array:
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


def _multilabel(hot: Array, groups: Array, count: int, state: int, start: str) -> Array:
    return stratify_images(hot, count, state, start)


def _with_groups(hot: Array, groups: Array, count: int, state: int, start: str) -> Array:
    return stratify_groups(hot, groups, count, state, start)[groups]


SCHEMES = {
    "random": Scheme(_random, grouped=False, ndim=None),
    "stratified": Scheme(_stratified, grouped=False, ndim=1),
    "group": Scheme(_by_size, grouped=True, ndim=None),
    "stratified_group": Scheme(_with_groups, grouped=True, ndim=1),
    "multilabel": Scheme(_multilabel, grouped=False, ndim=2, starts=True),
    "multilabel_group": Scheme(_with_groups, grouped=True, ndim=2, starts=True),
}
AUTO = {  # (dimensions of the target, whether there are groups) -> scheme
    (1, False): "stratified",
    (1, True): "stratified_group",
    (2, False): "multilabel",
    (2, True): "multilabel_group",
}
