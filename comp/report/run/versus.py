"""Two runs, or more, on the same images: where they differ, and whether that is more than noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core import rng
from comp.ensemble.cross_fit import FEW_UNITS, LEAST_UNITS
from comp.report.run.answers import OofAnswers
from comp.tasks.counts import divide

Array = np.ndarray[Any, Any]

ROUNDS = 1000
_CELLS = 2_500_000  # weights held at once
_MOST_CELLS = 2_000_000  # probabilities that a correlation is computed from


@dataclass(frozen=True)
class Difference:
    """How much better `b` scores than `a`: above 0 is better, whichever way the metric is up.

    `low, high`  95 % interval, of rows (or whole groups) drawn again, the same for both
    `share`      of the draws in which `b` is better
    `units`      what was drawn: how many images, or groups
    """

    gain: float
    low: float
    high: float
    share: float
    units: int

    @property
    def certain(self) -> bool:
        """Whether the interval is on one side of 0, with enough units to tell."""
        return self.units >= LEAST_UNITS and (self.low > 0 or self.high < 0)


def difference(a: OofAnswers, b: OofAnswers, seed: int, rounds: int = ROUNDS) -> Difference:
    """The paired bootstrap of two runs' answers to the same images, in the same order. The gain is
    that of `scores.honest`.

    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: a round draws images,
    or where there are groups whole groups, and scores both runs on them. NaN where the metric is
    undefined.
    """
    return paired(a, (a.honest, a.mixed), (b.honest, b.mixed), seed, rounds)


def paired(
    ground: OofAnswers,
    first: tuple[Array, float],
    second: tuple[Array, float],
    seed: int,
    rounds: int = ROUNDS,
) -> Difference:
    """The same for two arrays of answers to the images of `ground`, in the form of the metric, each
    with what is taken off its score."""
    metric, classes = ground.metric, len(ground.classes)
    sign = 1 if metric.greater_is_better else -1
    names = np.arange(len(ground)) if ground.groups is None else np.asarray(ground.groups, str)
    units = np.unique(names, return_inverse=True)[1]
    count, draw = int(units.max()) + 1, rng.generator(seed, "paired bootstrap")
    own, gains = 1.0 if ground.weights is None else ground.weights, []
    step = max(1, _CELLS // len(ground))
    for begin in range(0, rounds, step):
        picks = draw.integers(count, size=(min(step, rounds - begin), count))
        drawn = np.stack([np.bincount(row, minlength=count) for row in picks])
        weights = drawn[:, units].astype(float) * own
        scores = [
            metric.weighted(ground.target, part, classes, weights) - off
            for part, off in (first, second)
        ]
        gains.append(sign * (scores[1] - scores[0]))
    plain = [
        metric.score(ground.target, part, classes, ground.weights) - off
        for part, off in (first, second)
    ]
    found = np.concatenate(gains)
    found = found[~np.isnan(found)]
    if not len(found):
        return Difference(sign * (plain[1] - plain[0]), math.nan, math.nan, math.nan, count)
    low, high = np.percentile(found, [2.5, 97.5])
    # equal scores count half: two runs that answer alike are no better than each other
    share = float((found > 0).mean() + (found == 0).mean() / 2)
    return Difference(sign * (plain[1] - plain[0]), float(low), float(high), share, count)


@dataclass(frozen=True)
class Flips:
    """The images by who answers them right: `both`, only the first, only the second, `neither`; and
    the rows that flip, the ones that the second loses first, by how far the runs are apart."""

    both: int
    first: int
    second: int
    neither: int
    rows: tuple[int, ...]


def flips(a: OofAnswers, b: OofAnswers, most: int) -> Flips:
    """The rows where one is right and the other is wrong; `most` of each direction."""
    lost, won = ~a.wrong & b.wrong, a.wrong & ~b.wrong
    apart = np.abs(b.badness - a.badness)
    rows: list[int] = []
    for own in (lost, won):
        places = np.flatnonzero(own)
        rows += places[np.argsort(-apart[places], kind="stable")][:most].tolist()
    both, neither = int((~a.wrong & ~b.wrong).sum()), int((a.wrong & b.wrong).sum())
    return Flips(both, int(lost.sum()), int(won.sum()), neither, tuple(rows))


@dataclass(frozen=True)
class Gap:
    """One class or group: `images`, and what each run scores on it: F1 of a class, the share of its
    images that are right of a group; `gain` of the second over the first."""

    name: str
    images: int
    first: float
    second: float

    @property
    def gain(self) -> float:
        """Of the second over the first."""
        return self.second - self.first


def class_gaps(a: OofAnswers, b: OofAnswers) -> list[Gap]:
    """Each class with both F1s, the largest differences first; of numbers each column with what is
    left of its variance."""
    if a.kind == "numbers":
        parts = [_explained(one) for one in (a, b)]
        counts = np.full(len(a.classes), len(a))
    else:
        parts = [_f1(one) for one in (a, b)]
        counts = (a.truth & a.known).sum(axis=0)
    gaps = [
        Gap(name, int(count), float(x), float(y))
        for name, count, x, y in zip(a.classes, counts, *parts, strict=True)
    ]
    return sorted(gaps, key=lambda gap: -abs(gap.gain) if gap.gain == gap.gain else 0.0)


def _f1(found: OofAnswers) -> Array:
    hit = (found.truth & found.said & found.known).sum(axis=0).astype(float)
    both = (found.truth & found.known).sum(axis=0) + (found.said & found.known).sum(axis=0)
    return divide(2 * hit, both)


def _explained(found: OofAnswers) -> Array:
    errors = np.nanmean((found.numbers - found.target) ** 2, axis=0)
    return 1 - divide(errors, found.target.var(axis=0))


def group_gaps(a: OofAnswers, b: OofAnswers, most: int) -> tuple[list[Gap], int]:
    """Groups in which the runs differ, the largest differences first, and how many differ."""
    if a.groups is None:
        return [], 0
    names, place = np.unique(np.asarray(a.groups, str), return_inverse=True)
    count = np.bincount(place, minlength=len(names))
    right = [np.bincount(place, ~one.wrong, len(names)) / count for one in (a, b)]
    apart = (right[1] - right[0]) * count
    order = np.argsort(-np.abs(apart), kind="stable")
    order = order[np.abs(apart[order]) > 1e-9]
    gaps = [
        Gap(str(names[n]), int(count[n]), float(right[0][n]), float(right[1][n]))
        for n in order[:most]
    ]
    return gaps, len(order)


@dataclass(frozen=True)
class Alike:
    """How alike two runs are: `correlation` of their probabilities (numbers), the share of images
    that they answer the same (`agreement`), and of those that either answers wrong, the share that
    both do (`shared`); the lower, the more a blend can gain."""

    correlation: float
    agreement: float
    shared: float


def alike(a: OofAnswers, b: OofAnswers) -> Alike:
    """Of two runs on the same images. Of many probabilities every n-th image is looked at."""
    step = -(-a.chance.size // _MOST_CELLS)
    cells = [np.asarray(one.chance[::step], dtype=float).ravel() for one in (a, b)]
    flat = min(float(part.std()) for part in cells) == 0
    correlation = float("nan") if flat else float(np.corrcoef(cells[0], cells[1])[0, 1])
    same = (a.labels == b.labels).reshape(len(a), -1).all(axis=1)
    if a.kind == "numbers":
        same = a.wrong == b.wrong
    either = int((a.wrong | b.wrong).sum())
    shared = int((a.wrong & b.wrong).sum()) / either if either else float("nan")
    return Alike(correlation, float(same.mean()), shared)


def verdict(first: str, second: str, metric: str, found: Difference, unit: str) -> str:
    """Whether two runs differ by more than noise, in a sentence. unit: what was drawn; of few of
    them that is said."""
    if math.isnan(found.low):
        return f"{metric} is not defined on draws of these images, so nothing can be said."
    better, worse = (second, first) if found.gain >= 0 else (first, second)
    size = f"by {abs(found.gain):.4f}"
    interval = f"95 % interval of the gain of {second} {found.low:+.4f} to {found.high:+.4f}"
    if found.gain == 0 and found.low == found.high == 0:
        return f"{first} and {second} answer alike: there is no difference in {metric}."
    if found.units < LEAST_UNITS:
        return (
            f"{better} is ahead of {worse} {size} {metric}, but {found.units} {unit} are too few "
            f"to tell that from noise: at least {LEAST_UNITS} are needed ({interval})."
        )
    ahead = found.share if found.gain >= 0 else 1 - found.share
    few = ""
    if found.units < FEW_UNITS:
        few = f" With {found.units} {unit} the interval is too narrow: take it as a hint."
    if found.certain:
        return (
            f"{better} is better than {worse} {size} {metric}, which is more than noise: "
            f"{interval}, ahead in {ahead:.1%} of {ROUNDS} draws of {unit}.{few}"
        )
    return (
        f"{better} is ahead of {worse} {size} {metric}, but that may be noise: {interval}; it is "
        f"ahead in {ahead:.0%} of {ROUNDS} draws of {unit}.{few}"
    )
