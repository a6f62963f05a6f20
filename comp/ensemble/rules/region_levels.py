"""Thresholds of masks, exact to the 256 levels that scores have, without a second look at pixels.

Every image leaves a histogram of what its pixels are; the counts at any threshold are sums of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.ensemble.rules.regions import LEVELS, NEUTRAL, levels_of
from comp.tasks.counts import IGNORED, RATIOS, Ratio, image_scores
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Histograms:
    """Of N images and K classes, by level, what the pixels are whose likeliest class it is.

    `hit`    (N, K, 256) those that are of the class
    `empty`  (N, K, 256) those that are background
    `said`   (N, K, 256) all that are judged
    `there`  (N, K) pixels of each class in the truth; `pixels` (N,) all that are judged
    `one`    whether each pixel has one class, so that the background is a column
    """

    hit: Array
    empty: Array
    said: Array
    there: Array
    pixels: Array
    one: bool


def histogram(probs: Array, truth: Array, task: Task, classes: int) -> tuple[Array, ...]:
    """The row of `Histograms` for one image."""
    levels, which = levels_of(probs, task)
    out = np.zeros((3, classes, LEVELS), dtype=np.int32)
    if which is not None:
        judged = truth[0] != IGNORED
        key = (which[judged].astype(np.int64) - 1) * LEVELS + levels[0][judged]
        true, said = truth[0][judged], which[judged]
        for place, chosen in enumerate((true == said, true == 0, slice(None))):
            found = np.bincount(key[chosen], minlength=classes * LEVELS)
            out[place] = found.reshape(classes, LEVELS)
        there = np.bincount(true, minlength=256)[1 : classes + 1]
        return (*out, there, np.int64(judged.sum()))
    there = np.zeros(classes, dtype=np.int64)
    for c in range(classes):
        judged = truth[c] != IGNORED
        own, true = levels[c][judged], truth[c][judged] == 1
        out[0, c] = np.bincount(own[true], minlength=LEVELS)
        out[2, c] = np.bincount(own, minlength=LEVELS)
        there[c] = true.sum()
    return (*out, there, np.int64((truth != IGNORED).sum() // classes))


def collect(rows: Iterable[tuple[Array, ...]], one: bool) -> Histograms:
    """The histograms of all images."""
    hit, empty, said, there, pixels = zip(*rows, strict=True)
    parts = [np.stack(part) for part in (hit, empty, said, there, pixels)]
    return Histograms(parts[0], parts[1], parts[2], parts[3], parts[4], one)


def counts_at(histograms: Histograms, levels: Array) -> Array:
    """(N, C, 4) tp, fp, fn, tn of every image where class k is said from `levels[..., k]` on.

    levels: (K,), or (N, K), one rule an image.
    """
    count, classes = histograms.there.shape
    at = np.broadcast_to(levels, (count, classes))
    up = np.arange(LEVELS) >= at[..., None]
    hit, empty, said = ((part * up).sum(axis=2) for part in
                        (histograms.hit, histograms.empty, histograms.said))  # fmt: skip
    return with_background(hit, empty, said, histograms)


def with_background(hit: Array, empty: Array, said: Array, histograms: Histograms) -> Array:
    """(N, C, 4) from (N, K) pixels that are right, that are background, and all that are said."""
    pixels = histograms.pixels[:, None]
    fn, fp = histograms.there - hit, said - hit
    own = np.stack([hit, fp, fn, pixels - hit - fp - fn], axis=2)
    if not histograms.one:
        return own
    wrong = empty.sum(axis=1)  # background that is said to be something
    ground = histograms.pixels - histograms.there.sum(axis=1)
    missed = histograms.pixels - said.sum(axis=1) - (ground - wrong)  # something, said to be none
    tp = ground - wrong
    back = np.stack([tp, missed, wrong, histograms.pixels - tp - missed - wrong], axis=1)
    return np.concatenate([back[:, None], own], axis=1)


def gain_of(metric: Metric) -> Callable[[Array], Array]:
    """What a part of a rule is chosen by: counts (N, T, 4) of T candidates -> (T,) scores."""
    ratio: Ratio = metric.ratio or RATIOS["dice"]
    if metric.by_image:
        return lambda counts: image_scores(counts, ratio).mean(axis=0)
    return lambda counts: ratio(*np.moveaxis(counts.sum(axis=0).astype(float), -1, 0))


def best_levels(histograms: Histograms, rows: Array, metric: Metric) -> Array:
    """(K,) the level of each class that scores best on these rows; of equals the one nearest to a
    half; a half where nothing can be told."""
    gain, classes = gain_of(metric), histograms.there.shape[1]
    out = np.full(classes, NEUTRAL, dtype=np.int64)
    for c in range(classes):
        hit, said = (np.cumsum(part[rows, c, ::-1], axis=1)[:, ::-1]
                     for part in (histograms.hit, histograms.said))  # fmt: skip
        fn, fp = histograms.there[rows, c, None] - hit, said - hit
        tn = histograms.pixels[rows, None] - hit - fp - fn
        out[c] = nearest(gain(np.stack([hit, fp, fn, tn], axis=2)), NEUTRAL)
    return out


def nearest(scores: Array, neutral: int) -> int:
    """The place of the best score; of equals the one nearest to `neutral`, which NaN gives."""
    if np.isnan(scores).all():
        return neutral
    best = np.flatnonzero(scores >= np.nanmax(scores) - 1e-12)
    return int(best[np.abs(best - neutral).argmin()])
