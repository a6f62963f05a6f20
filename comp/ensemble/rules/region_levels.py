"""Thresholds of masks, exact to the 256 levels that scores have, in one pass over the pixels.

Each image gives one histogram of its pixels by score; the counts at any threshold are sums over it.
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
    """Of N images and K classes: how many pixels have each score for the class, by what they are.

    `hit`        (N, K, 256) pixels of the class
    `empty`      (N, K, 256) pixels of the background
    `predicted`  (N, K, 256) all pixels that are not ignored
    `actual`     (N, K) pixels of each class in the truth
    `pixels`     (N,) all pixels that are not ignored
    `one`        whether each pixel has one class; then the background is a column
    """

    hit: Array
    empty: Array
    predicted: Array
    actual: Array
    pixels: Array
    one: bool


def histogram(probs: Array, truth: Array, task: Task, classes: int) -> tuple[Array, ...]:
    """The row of `Histograms` for one image."""
    levels, which = levels_of(probs, task)
    out = np.zeros((3, classes, LEVELS), dtype=np.int32)
    if which is not None:
        judged = truth[0] != IGNORED
        key = (which[judged].astype(np.int64) - 1) * LEVELS + levels[0][judged]
        true, predicted = truth[0][judged], which[judged]
        for place, chosen in enumerate((true == predicted, true == 0, slice(None))):
            found = np.bincount(key[chosen], minlength=classes * LEVELS)
            out[place] = found.reshape(classes, LEVELS)
        actual = np.bincount(true, minlength=256)[1 : classes + 1]
        return (*out, actual, np.int64(judged.sum()))
    actual = np.zeros(classes, dtype=np.int64)
    for c in range(classes):
        judged = truth[c] != IGNORED
        own, true = levels[c][judged], truth[c][judged] == 1
        out[0, c] = np.bincount(own[true], minlength=LEVELS)
        out[2, c] = np.bincount(own, minlength=LEVELS)
        actual[c] = true.sum()
    return (*out, actual, np.int64((truth != IGNORED).sum() // classes))


def collect(rows: Iterable[tuple[Array, ...]], one: bool) -> Histograms:
    """The histograms of all images."""
    hit, empty, predicted, actual, pixels = zip(*rows, strict=True)
    parts = [np.stack(part) for part in (hit, empty, predicted, actual, pixels)]
    return Histograms(parts[0], parts[1], parts[2], parts[3], parts[4], one)


def counts_at(histograms: Histograms, levels: Array) -> Array:
    """(N, C, 4) tp, fp, fn, tn of each image when class k is predicted from `levels[..., k]` on.

    levels: (K,), or (N, K) with one rule per image.
    """
    count, classes = histograms.actual.shape
    at = np.broadcast_to(levels, (count, classes))
    up = np.arange(LEVELS) >= at[..., None]
    hit, empty, predicted = ((part * up).sum(axis=2) for part in
                        (histograms.hit, histograms.empty, histograms.predicted))  # fmt: skip
    return with_background(hit, empty, predicted, histograms)


def with_background(hit: Array, empty: Array, predicted: Array, histograms: Histograms) -> Array:
    """(N, C, 4) from (N, K) predicted pixels: those of the class, of the background, and all."""
    pixels = histograms.pixels[:, None]
    fn, fp = histograms.actual - hit, predicted - hit
    own = np.stack([hit, fp, fn, pixels - hit - fp - fn], axis=2)
    if not histograms.one:
        return own
    wrong = empty.sum(axis=1)  # background that is predicted as some class
    ground = histograms.pixels - histograms.actual.sum(axis=1)
    missed = (
        histograms.pixels - predicted.sum(axis=1) - (ground - wrong)
    )  # pixels of a class that are predicted as background
    tp = ground - wrong
    back = np.stack([tp, missed, wrong, histograms.pixels - tp - missed - wrong], axis=1)
    return np.concatenate([back[:, None], own], axis=1)


def gain_of(metric: Metric) -> Callable[[Array], Array]:
    """The score by which parts of a rule are chosen: counts (N, T, 4) of T candidates -> (T,)."""
    ratio: Ratio = metric.ratio or RATIOS["dice"]
    if metric.by_image:
        return lambda counts: image_scores(counts, ratio).mean(axis=0)
    return lambda counts: ratio(*np.moveaxis(counts.sum(axis=0).astype(float), -1, 0))


def best_levels(histograms: Histograms, rows: Array, metric: Metric) -> Array:
    """(K,) the level of each class that scores best on these rows; of equals the one nearest to a
    half; a half where the score is undefined, as it is over a set without a pixel of the class."""
    gain, classes = gain_of(metric), histograms.actual.shape[1]
    out = np.full(classes, NEUTRAL, dtype=np.int64)
    for c in range(classes):
        if not metric.by_image and not histograms.actual[rows, c].any():
            continue  # false positives score 0, which is no better than none and no score
        hit, predicted = (np.cumsum(part[rows, c, ::-1], axis=1)[:, ::-1]
                     for part in (histograms.hit, histograms.predicted))  # fmt: skip
        fn, fp = histograms.actual[rows, c, None] - hit, predicted - hit
        tn = histograms.pixels[rows, None] - hit - fp - fn
        out[c] = nearest(gain(np.stack([hit, fp, fn, tn], axis=2)), NEUTRAL)
    return out


def nearest(scores: Array, neutral: int) -> int:
    """The place of the best score; of equals the one nearest to `neutral`, which NaN gives."""
    if np.isnan(scores).all():
        return neutral
    best = np.flatnonzero(scores >= np.nanmax(scores) - 1e-12)
    return int(best[np.abs(best - neutral).argmin()])
