"""What every exact search shares: where a rule may cut, and which of equal cuts is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TIE = 1e-12  # scores nearer than this differ by rounding alone
SWEEPS = 10
_WHOLE = 1 << 20  # class weights become whole numbers of this: sums of them are exact
_SINGLE, _DOUBLE = (np.dtype("f4"), np.dtype("u4")), (np.dtype("f8"), np.dtype("u8"))


@dataclass(frozen=True)
class Cuts:
    """The cuts of one column, from none positive to all, K of them.

    `tp, chosen`  (K,) float64: positives above each cut, and rows above it, or their weights
    `low, high`   (K,) a threshold in (low, high] makes the cut
    `positives`   how many there are
    """

    tp: Array
    chosen: Array
    low: Array
    high: Array
    positives: int

    def nearest(self, best: Array, neutral: float) -> float:
        """Of the cuts `best` (numbers or mask) the threshold nearest to `neutral`."""
        return nearest_point(neutral, self.low[best], self.high[best])


def cuts_of(target: Array, probs: Array, weights: Array | None = None) -> Cuts | None:
    """The cuts of one column; None without positives and where there is nothing to part.

    target, probs: (N,); weights: (N,) whole numbers, see `whole_weights`. One sort, O(N log N); the
    order of the rows never matters.
    """
    if weights is not None:
        return _weighed_cuts(target, probs, weights)
    ranked, hits = _descending(target, probs)
    positives = int(hits[-1]) if len(hits) else 0
    ends = np.flatnonzero(ranked[1:] != ranked[:-1])  # the last row of each distinct probability
    if positives == 0 or len(ends) == 0:
        return None
    ends = np.append(ends, len(ranked) - 1)
    chosen = np.append(0, ends + 1).astype(np.float64)
    tp = np.append(0, hits[ends]).astype(np.float64)
    edges = with_outer_edges(ranked[ends])
    return Cuts(tp, chosen, edges[1:], edges[:-1], positives)


def _weighed_cuts(target: Array, probs: Array, weights: Array) -> Cuts | None:
    order = np.argsort(-np.asarray(probs, dtype=np.float64), kind="stable")
    ranked, mass = np.asarray(probs)[order], np.cumsum(weights[order])
    hits = np.cumsum(weights[order] * (target[order] > 0))
    ends = np.flatnonzero(ranked[1:] != ranked[:-1])
    if len(order) == 0 or hits[-1] == 0 or len(ends) == 0:
        return None
    ends = np.append(ends, len(ranked) - 1)
    chosen = np.append(0, mass[ends]).astype(np.float64)
    tp = np.append(0, hits[ends]).astype(np.float64)
    edges = with_outer_edges(ranked[ends])
    return Cuts(tp, chosen, edges[1:], edges[:-1], int(hits[-1]))


def _descending(target: Array, probs: Array) -> tuple[Array, Array]:
    """The probabilities from high to low, and how many positives there are up to each.

    Probabilities are not negative, so their bits sort as they do. With the target as the last bit
    one plain sort of integers orders both, several times faster than `argsort` and two gathers.
    """
    floats, bits = _SINGLE if probs.dtype.itemsize <= 4 else _DOUBLE
    keys = probs.astype(floats).view(bits) << 1  # which drops the sign of a negative zero
    keys |= target.astype(bits)
    keys.sort()
    keys = keys[::-1]
    return (keys >> 1).view(floats), np.cumsum(keys & 1, dtype=np.int64)


def with_outer_edges(falling: Array) -> Array:
    """Distinct probabilities between an edge above and one below; float64, falling."""
    values = falling.astype(np.float64)
    above = max(1.0, np.nextafter(values[0], np.inf))
    below = min(0.0, np.nextafter(values[-1], -np.inf))
    return np.concatenate([[above], values, [below]])


def nearest_point(neutral: float, low: Array, high: Array) -> float:
    """Of the intervals (low, high] the point nearest to `neutral`: itself, or a middle."""
    middle = low + (high - low) / 2
    middle = np.where(middle > low, middle, high)  # neighbours have no middle
    points = np.where((low < neutral) & (neutral <= high), neutral, middle)
    return float(points[np.argmin(np.abs(points - neutral))])


def whole_weights(weights: Array | None, rows: int) -> Array:
    """(rows,) int64: the weight of each row in whole numbers, of which sums are exact; ones where
    no weights are given."""
    if weights is None:
        return np.ones(rows, dtype=np.int64)
    given = np.asarray(weights, dtype=np.float64)
    scaled = (given / max(given.max(initial=0.0), 1e-300) * _WHOLE).round().astype(np.int64)
    return np.where(given > 0, np.maximum(scaled, 1), 0)
