"""Exchanges between pairs of folds, until every count is within one or nothing helps.

All arithmetic is on whole numbers that floats hold exactly, and equal scores are taken in the order
of the units: the outcome is the same on every machine, in whatever order the numbers are added up.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

Array = np.ndarray[Any, Any]

EMPTY = 4  # empty places among the candidates of a fold: an exchange with one is a move
_CANDIDATES = 256  # units of a fold that are compared at once for an exchange
_MANY = 2048  # units that are exchanged at once, at most, while counts are far apart
_ROUNDS = 40
_STUCK = 2  # exchanges in a round; with fewer, columns that are still off weigh more from then on


def _lowest(score: Array, most: int) -> Array:
    """The places of the `most` lowest scores, ascending; of equal ones the first."""
    if len(score) <= most:
        return np.arange(len(score))
    limit = np.partition(score, most - 1)[most - 1]
    below, equal = np.flatnonzero(score < limit), np.flatnonzero(score == limit)
    return np.sort(np.concatenate([below, equal[: most - len(below)]]))


class Exchanges:
    """Units in their folds, and the exchanges that make the counts of the folds even.

    units: (U, C) what each unit (an image, or a group) counts in each column. fold: (U,) in
    0..count-1. weights: (C,) how much a column matters. exact: a float type that holds every sum.
    there: (count, C) what the folds hold besides.

    `rows` and `parts` are, for each fold, the numbers of its units and their counts.
    """

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
        self.base = weights  # of the result; `weights`, which lead the search, grow
        self.weights = weights.astype(exact)

    def improve(self, empty: int) -> Array:
        """The fold of each unit, (U,) int64, after exchanges until everything is within one, or
        for a fixed number of rounds.

        empty: how many empty places a fold offers; with 0 the folds keep their sizes.
        """
        with threadpool_limits(1, "blas"):  # products so small take 40 times longer on busy cores
            return self._improve(empty)

    def _improve(self, empty: int) -> Array:
        pairs = list(itertools.combinations(range(len(self.rows)), 2))
        for _ in range(_ROUNDS):
            if not sum(self._exchange_many(a, b) for a, b in pairs):
                break
        best = self._unevenness(), self._folds()
        for _ in range(_ROUNDS):
            off = self._off()
            if not off.any():
                break
            made = sum(self._exchange(a, b, empty) for a, b in pairs)
            score = self._unevenness()
            if score < best[0]:
                best = score, self._folds()
            if made <= _STUCK:
                self.weights += (self.base * self._off()).astype(self.weights.dtype)
        return best[1]

    def _off(self) -> Array:
        return np.asarray(np.ptp(self.counts, axis=0) > 1)

    def _unevenness(self) -> int:
        """How uneven it is: zero when every fold has the same."""
        away = len(self.rows) * self.counts.astype(np.int64) - self.totals
        return int(((away * away) @ self.base).sum())

    def _folds(self) -> Array:
        fold = np.empty(sum(map(len, self.rows)), dtype=np.int64)
        for number, rows in enumerate(self.rows):
            fold[rows] = number
        return fold

    def _exchange_many(self, a: int, b: int) -> bool:
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

    def _exchange(self, a: int, b: int, empty: int) -> int:
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
            self._candidates(fold, place, empty) for fold, place in zip((a, b), places, strict=True)
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

    def _candidates(self, fold: int, places: Array, empty: int) -> tuple[Array, Array]:
        nothing = np.zeros((empty, len(self.totals)), dtype=self.counts.dtype)
        return (
            np.concatenate([self.parts[fold][places], nothing]),
            np.concatenate([self.rows[fold][places], np.full(empty, -1)]),
        )

    def _put(self, fold: int, places: Array, units: Array, names: Array) -> None:
        there = names >= 0
        if len(there) == len(places):
            self.parts[fold][places], self.rows[fold][places] = units, names
            return
        self.parts[fold] = np.concatenate([np.delete(self.parts[fold], places, 0), units[there]])
        self.rows[fold] = np.concatenate([np.delete(self.rows[fold], places), names[there]])
