"""Pairs of images compared by their local features, and how much their agreement is worth.

How many features agree by chance depends on the images: a hand is like another hand. So the
confidence is estimated from the pairs themselves. Agreement in 6 or 7 features is taken for chance,
and chance falls off from there by at least a quarter per feature (it did so on photographs, tiles,
hands and handwriting). The confidence of an agreement is the share of pairs with it that chance
does not explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from comp.check.duplicates.sift import MATCHES, Features, compare
from comp.check.image_stats import ImageStats
from comp.core import checksums, files, progress
from comp.core.parallel import cores

Array = np.ndarray[Any, Any]
Pair = tuple[int, int, bool]

FORMAT = 1  # of the kept agreements; a new number discards them
_CHUNK = 4096  # pairs whose agreements are kept in one file
_FALL = 0.75  # of chance, from one number of agreeing features to the next
_CHANCE = 1 / 5000  # of unrelated pairs agree in 7 features, at least
_MOST = ((30, 0.98), (15, 0.95), (10, 0.9), (0, 0.85))  # agreeing features -> confidence, at most


def agreements(stats: ImageStats, pairs: Sequence[Pair], cache: Path) -> Array:
    """(P,) int64: in how many features each pair agrees; 0 where the images do not match.

    From `cache` where it has them: a comparison that was killed goes on where it was.
    """
    from threadpoolctl import threadpool_limits

    ends = np.concatenate([[0], np.cumsum(stats.counts)])
    seen = checksums.digest_lines([str(FORMAT), *stats.digest.tolist()])

    def agree(pair: Pair) -> int:
        a, b = (
            Features(
                stats.points[ends[row] : ends[row + 1]], stats.words[ends[row] : ends[row + 1]]
            )
            for row in pair[:2]
        )
        return compare(a, b, pair[2]).agree

    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    out = [np.zeros(0, np.int64)]
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        for chunk in progress.track(chunks, len(chunks), f"comparing pairs, {_CHUNK} at a time"):
            out.append(_kept(chunk, seen, cache, lambda c: [*pool.map(agree, c)]))
    return np.concatenate(out)


def _kept(
    chunk: Sequence[Pair], seen: str, cache: Path, work: Callable[[Sequence[Pair]], list[int]]
) -> Array:
    key = checksums.digest_lines([seen, *map(str, chunk)])
    place = cache / f"{key[:24]}.npy"
    try:
        known = np.load(place, allow_pickle=False)
        if known.shape == (len(chunk),) and known.dtype == np.int64:
            return np.asarray(known)
    except (OSError, ValueError, EOFError):  # absent or damaged: compared again
        pass
    found = np.array(work(chunk), dtype=np.int64)
    with files.replacing(place) as beside, beside.open("wb") as handle:
        np.save(handle, found)
    return found


def confidence(agreeing: Array, chance: float | None = None) -> Array:
    """(P,) float64 in [0, 1]: the confidence of each pair, from the agreements of all pairs.

    agreeing: (P,) int64. chance: how many of the pairs agree in 7 features by chance; None: an
    estimate from those that agree in the fewest.
    """
    counts = np.bincount(agreeing, minlength=MATCHES + 2).astype(np.float64)
    counts[:MATCHES] = 0
    if chance is None:
        chance = _by_chance(counts)
    chance = max(chance, len(agreeing) * _CHANCE)
    numbers = np.arange(len(counts))
    half = np.maximum(2, numbers // 5)
    total = np.concatenate([[0], np.cumsum(counts)])
    low, high = np.maximum(numbers - half, MATCHES), np.minimum(numbers + half + 1, len(counts))
    found = (total[np.maximum(high, low)] - total[low]) / (2 * half + 1)
    expected = chance * _FALL ** (numbers - MATCHES - 1.0)
    sure = 1 - np.minimum(1, expected / np.maximum(found, 1e-12))
    sure = np.maximum.accumulate(np.where((numbers > MATCHES + 1) & (found > 0), sure, 0))
    most = np.array([next(value for least, value in _MOST if n >= least) for n in numbers])
    return np.asarray(np.minimum(sure, most)[agreeing])


def expected_chance(agreeing: Array) -> float:
    """The share of pairs that agree in 7 features by chance, from the agreements of all pairs."""
    counts = np.bincount(agreeing, minlength=MATCHES + 2)
    return _by_chance(counts) / max(1, len(agreeing))


def _by_chance(counts: Array) -> float:
    """How many pairs agree in 7 features by chance: the mean of three quarters of those that agree
    in 6, and those that agree in 7, some of which may be real."""
    return float((counts[MATCHES] * _FALL + counts[MATCHES + 1]) / 2)
