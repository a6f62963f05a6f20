"""The ways to part an index into folds: scikit-learn's and iterative-stratification's, made safe.

Each is a function of sorted rows and a seed. What the libraries warn of, the plan tells itself.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp import chance
from comp.data.index import Index

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scheme:
    """One way to part.

    `parts`    target (N,) or (N, C), group numbers (N,), folds, seed -> fold of each row, (N,)
    `grouped`  whether it holds groups together
    `ndim`     the dimensions of the targets that it reads, None where it reads none
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
    state = chance.derive(seed, "folds") % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fold = scheme.parts(index.labels, groups, count, state)
        if len(np.unique(fold)) < count:  # possible where a few groups hold nearly all rows
            fold = _by_size(index.labels, groups, count, state)
    return np.asarray(fold, dtype=np.int64)


def _collect(splits: Any, rows: int) -> Array:
    fold = np.full(rows, -1, dtype=np.int64)
    for number, (_, valid) in enumerate(splits):
        fold[valid] = number
    return fold


def _random(target: Array, _: Array, count: int, state: int) -> Array:
    from sklearn.model_selection import KFold

    splitter = KFold(count, shuffle=True, random_state=state)
    return _collect(splitter.split(target), len(target))


def _stratified(target: Array, _: Array, count: int, state: int) -> Array:
    from sklearn.model_selection import StratifiedKFold

    if np.bincount(target).max() < count:  # scikit-learn refuses; deal the sorted classes out
        shuffled = np.random.default_rng(state).permutation(len(target))
        order = shuffled[np.argsort(target[shuffled], kind="stable")]
        fold = np.empty(len(target), dtype=np.int64)
        fold[order] = np.arange(len(target)) % count
        return fold
    splitter = StratifiedKFold(count, shuffle=True, random_state=state)
    return _collect(splitter.split(target, target), len(target))


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


def _stratified_group(target: Array, groups: Array, count: int, state: int) -> Array:
    from sklearn.model_selection import StratifiedGroupKFold

    if np.bincount(target).max() < count:  # scikit-learn refuses; nothing to stratify by
        return _by_size(target, groups, count, state)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=state)
    return _collect(splitter.split(target, target, groups), len(target))


def _multilabel(target: Array, _: Array, count: int, state: int) -> Array:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    if target.shape[1] == 1:  # it refuses a single column; the opposite says nothing new
        target = np.hstack([target, 1 - target])
    splitter = MultilabelStratifiedKFold(count, shuffle=True, random_state=state)
    return _collect(splitter.split(target, target), len(target))


def _multilabel_group(target: Array, groups: Array, count: int, state: int) -> Array:
    """Iterative stratification of the groups, each with every label that one of its rows has."""
    of_groups = np.zeros((groups.max() + 1, target.shape[1]), dtype=np.int64)
    np.maximum.at(of_groups, groups, target)
    return _multilabel(of_groups, groups, count, state)[groups]


SCHEMES = {
    "random": Scheme(_random, grouped=False, ndim=None),
    "stratified": Scheme(_stratified, grouped=False, ndim=1),
    "group": Scheme(_by_size, grouped=True, ndim=None),
    "stratified_group": Scheme(_stratified_group, grouped=True, ndim=1),
    "multilabel": Scheme(_multilabel, grouped=False, ndim=2),
    "multilabel_group": Scheme(_multilabel_group, grouped=True, ndim=2),
}
AUTO = {  # (dimensions of the target, whether there are groups) -> scheme
    (1, False): "stratified",
    (1, True): "stratified_group",
    (2, False): "multilabel",
    (2, True): "multilabel_group",
}
