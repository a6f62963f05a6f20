"""Units (images, or groups of them) over folds, so that every count is as even as it can be.

A start that is nearly even, then exchanges between pairs of folds until every label is within one,
or nothing helps. Iterative stratification (Sechidis et al. 2011), which places one image after the
other and never looks back, takes longer and ends further away.

All arithmetic is on whole numbers that floats hold exactly, and equal scores are taken in the order
of the units: the outcome is the same on every machine, whatever adds the numbers up.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

Array = np.ndarray[Any, Any]

_CANDIDATES = 256  # units of a fold that are looked at together for an exchange
_MANY = 2048  # units that are exchanged at once, at most, while counts are far apart
_GHOSTS = 4  # empty places among the candidates: an exchange with one is a move
_ROUNDS = 40
_STUCK = 2  # exchanges in a round; with fewer, what is still off weighs more from then on
_GREEDY = 20_000  # units; more are dealt in sorted order instead of placed one by one
_HEAVIEST = 1024  # the most that a rare class weighs, next to one that everything has


def spread_images(hot: Array, count: int, seed: int) -> Array:
    """The fold of each image, (N,) int64: sizes within one, and each label too where that can be.

    hot: (N, C) zeros and ones. Deals the images out in sorted order, then exchanges them.
    """
    draw = np.random.default_rng(seed)
    fold = _deal(hot, count, draw)
    exact = np.float32 if len(hot) // count * hot.shape[1] < 1 << 23 else np.float64
    return _Spread(hot, fold, count, np.ones(hot.shape[1], dtype=np.int64), exact).improve(0)


def spread_groups(hot: Array, groups: Array, count: int, seed: int) -> Array:
    """The fold of each group, (G,) int64: images, labels and rare labels' groups spread evenly.

    hot: (N, C) zeros and ones. groups: (N,) numbers 0..G-1, each there. A deviation weighs the
    more, the rarer the label is: what counts is its share of the label.
    """
    units, weights = _weighed(unit_counts(hot, groups), count)
    draw = np.random.default_rng(seed)
    if len(units) <= _GREEDY:
        fold = _place(units, weights, np.zeros((count, units.shape[1]), dtype=np.int64), draw)
    else:
        fold = _deal(np.minimum(units, 1), count, draw, units[:, 0])
    return _Spread(units, fold, count, weights, np.float64).improve(_GHOSTS)


def spread_more(hot: Array, groups: Array, home: Array, count: int, seed: int) -> Array:
    """The fold of each group, (G,) int64, where some have theirs already and keep it.

    home: (G,) the fold of each group, or a negative number for those to be placed. The rest as for
    `spread_groups`.
    """
    units, weights = _weighed(unit_counts(hot, groups), count)
    there = np.stack([units[home == number].sum(axis=0) for number in range(count)])
    loose = home < 0
    out = home.copy()
    if loose.any():
        fold = _place(units[loose], weights, there, np.random.default_rng(seed))
        spread = _Spread(units[loose], fold, count, weights, np.float64, there)
        out[loose] = spread.improve(_GHOSTS)
    return out


def _weighed(units: Array, count: int) -> tuple[Array, Array]:
    """The counts of each unit, also of the rare labels that it has at all; a weight a column."""
    totals = np.maximum(units.sum(axis=0), 1)
    seen = (units[:, 1:] > 0).astype(np.int64)
    seen = seen[:, seen.sum(axis=0) <= 10 * count]
    holders = np.maximum(seen.sum(axis=0), 1)
    weights = np.clip(totals[0] // np.concatenate([totals, holders]), 1, _HEAVIEST)
    return np.hstack([units, seen]), weights


def unit_counts(hot: Array, groups: Array) -> Array:
    """(G, 1 + C): how many images each group has, and how many of each label."""
    units = np.zeros((int(groups.max()) + 1, 1 + hot.shape[1]), dtype=np.int64)
    np.add.at(units, groups, np.hstack([np.ones((len(hot), 1), dtype=np.int64), hot]))
    return units


def _deal(hot: Array, count: int, draw: np.random.Generator, sizes: Array | None = None) -> Array:
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


def _place(units: Array, weights: Array, there: Array, draw: np.random.Generator) -> Array:
    """The heaviest unit first, each where it adds least to what is too much already.

    there: (K, columns) what each fold has before."""
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


def _lowest(score: Array, most: int) -> Array:
    """The places of the `most` lowest scores, ascending; of equal ones the first."""
    if len(score) <= most:
        return np.arange(len(score))
    limit = np.partition(score, most - 1)[most - 1]
    below, equal = np.flatnonzero(score < limit), np.flatnonzero(score == limit)
    return np.sort(np.concatenate([below, equal[: most - len(below)]]))


class _Spread:
    """Units in their folds: `rows` and `parts` hold the numbers and the counts of each fold's."""

    def __init__(
        self,
        units: Array,
        fold: Array,
        count: int,
        weights: Array,
        exact: Any,
        there: Array | int = 0,
    ) -> None:
        self.rows = [np.flatnonzero(fold == number) for number in range(count)]
        self.parts = [units[rows].astype(exact) for rows in self.rows]
        counts = np.stack([units[rows].sum(axis=0) for rows in self.rows]) + there
        self.counts = counts.astype(exact)
        self.totals = counts.sum(axis=0)
        self.base = weights  # as they are judged by; those that are searched with grow
        self.weights = weights.astype(exact)

    def improve(self, ghosts: int) -> Array:
        """Exchange until everything is within one, or for a fixed number of rounds."""
        with threadpool_limits(1, "blas"):  # products so small take 40 times longer on busy cores
            return self._improve(ghosts)

    def _improve(self, ghosts: int) -> Array:
        pairs = list(itertools.combinations(range(len(self.rows)), 2))
        for _ in range(_ROUNDS):
            if not sum(self._rush(a, b) for a, b in pairs):
                break
        best = self._judge(), self._fold()
        for _ in range(_ROUNDS):
            off = self._off()
            if not off.any():
                break
            made = sum(self._exchange(a, b, ghosts) for a, b in pairs)
            score = self._judge()
            if score < best[0]:
                best = score, self._fold()
            if made <= _STUCK:
                self.weights += (self.base * self._off()).astype(self.weights.dtype)
        return best[1]

    def _off(self) -> Array:
        return np.asarray(np.ptp(self.counts, axis=0) > 1)

    def _judge(self) -> int:
        """How uneven it is: zero when every fold has the same."""
        away = len(self.rows) * self.counts.astype(np.int64) - self.totals
        return int(((away * away) @ self.base).sum())

    def _fold(self) -> Array:
        fold = np.empty(sum(map(len, self.rows)), dtype=np.int64)
        for number, rows in enumerate(self.rows):
            fold[rows] = number
        return fold

    def _rush(self, a: int, b: int) -> bool:
        """Exchange as many units at once as bring two folds closest; whether any did."""
        apart = self.counts[a] - self.counts[b]
        most = min(len(self.rows[a]), len(self.rows[b]), _MANY)
        if np.abs(apart).max() <= 4 or not most:  # nearer than this, one by one is better
            return False
        toward = self.weights * apart
        scores = -(self.parts[a] @ toward), self.parts[b] @ toward
        out, back = (_lowest(score, most) for score in scores)
        out = out[np.argsort(scores[0][out], kind="stable")]
        back = back[np.argsort(scores[1][back], kind="stable")]
        gained = np.cumsum(self.parts[b][back] - self.parts[a][out], axis=0, dtype=np.float64)
        after = (apart + 2 * gained) ** 2 @ self.base.astype(np.float64)
        many = int(after.argmin()) + 1
        if after[many - 1] >= apart.astype(np.float64) ** 2 @ self.base:
            return False
        for things in (self.parts, self.rows):
            kept = things[a][out[:many]]
            things[a][out[:many]] = things[b][back[:many]]
            things[b][back[:many]] = kept
        change = gained[many - 1].astype(self.counts.dtype)
        self.counts[a] += change
        self.counts[b] -= change
        return True

    def _exchange(self, a: int, b: int, ghosts: int) -> int:
        """Exchange the best two of the candidates while that helps; how often it did.

        With v = theirs - ours, the sum of squares changes by 2 v (counts of a - of b) + 2 v v.
        """
        before, weights = self.counts[a] - self.counts[b], self.weights
        apart = before
        if np.abs(apart).max() <= 1:
            return 0
        places = (
            _lowest(-(self.parts[a] @ (weights * apart)), _CANDIDATES),
            _lowest(self.parts[b] @ (weights * apart), _CANDIDATES),
        )
        (ours, names), (theirs, others) = (
            self._candidates(fold, place, ghosts)
            for fold, place in zip((a, b), places, strict=True)
        )
        squares = (ours**2 @ weights)[:, None] + theirs**2 @ weights
        squares -= 2 * ((ours * weights) @ theirs.T)
        made = 0
        while made < _CANDIDATES:
            toward = weights * apart
            change = squares + theirs @ toward - (ours @ toward)[:, None]
            i, j = divmod(int(change.argmin()), change.shape[1])
            if change[i, j] >= 0:
                break
            apart = apart + 2 * (theirs[j] - ours[i])
            ours[i], theirs[j] = theirs[j].copy(), ours[i].copy()
            names[i], others[j] = others[j], names[i]
            squares[i] = (ours[i] - theirs) ** 2 @ weights
            squares[:, j] = (ours - theirs[j]) ** 2 @ weights
            made += 1
        if made:
            self._put(a, places[0], ours, names)
            self._put(b, places[1], theirs, others)
            self.counts[a] += (apart - before) / 2
            self.counts[b] -= (apart - before) / 2
        return made

    def _candidates(self, fold: int, places: Array, ghosts: int) -> tuple[Array, Array]:
        empty = np.zeros((ghosts, len(self.totals)), dtype=self.counts.dtype)
        return (
            np.concatenate([self.parts[fold][places], empty]),
            np.concatenate([self.rows[fold][places], np.full(ghosts, -1)]),
        )

    def _put(self, fold: int, places: Array, units: Array, names: Array) -> None:
        there = names >= 0
        if len(there) == len(places):
            self.parts[fold][places], self.rows[fold][places] = units, names
            return
        self.parts[fold] = np.concatenate([np.delete(self.parts[fold], places, 0), units[there]])
        self.rows[fold] = np.concatenate([np.delete(self.rows[fold], places), names[there]])
