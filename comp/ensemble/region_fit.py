"""Rules of regions fitted on the out-of-fold maps, and what to expect of them.

Thresholds are exact to the 256 levels that scores have: every image leaves a histogram of what its
pixels are, and any threshold's counts are sums of it. Areas are exact over the candidates tried:
every region leaves how many of its pixels are right. Both take no second look at pixels.

Everything is cross-fitted: fitted on the images of the other folds, measured on this one. A part
of the rule (thresholds, then the smallest region, then the least pixels) is used only where that
gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.counts import IGNORED, RATIOS, Ratio, image_scores
from comp.ensemble.regions import LEVELS, NEUTRAL, RegionRule, class_mask, components, levels_of
from comp.metrics import Metric
from comp.tasks import Task

Array = np.ndarray[Any, Any]
# (probs (C, H, W), truth (L, H, W)) of one image, at its own size
Sight = Callable[[int], tuple[Array, Array]]
Each = Callable[[Callable[[int], Any], int, str], Iterable[Any]]

_AREAS = 48  # candidates for an area
_STAGES = ("thresholds", "smallest regions", "least pixels")


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


def _gain(metric: Metric) -> Callable[[Array], Array]:
    """What a part of a rule is chosen by: counts (N, T, 4) of T candidates -> (T,) scores."""
    ratio: Ratio = metric.ratio or RATIOS["dice"]
    if metric.by_image:
        return lambda counts: image_scores(counts, ratio).mean(axis=0)
    return lambda counts: ratio(*np.moveaxis(counts.sum(axis=0).astype(float), -1, 0))


def best_levels(histograms: Histograms, rows: Array, metric: Metric) -> Array:
    """(K,) the level of each class that scores best on these rows; of equals the one nearest to a
    half; a half where nothing can be told."""
    gain, classes = _gain(metric), histograms.there.shape[1]
    out = np.full(classes, NEUTRAL, dtype=np.int64)
    for c in range(classes):
        hit, said = (np.cumsum(part[rows, c, ::-1], axis=1)[:, ::-1]
                     for part in (histograms.hit, histograms.said))  # fmt: skip
        fn, fp = histograms.there[rows, c, None] - hit, said - hit
        tn = histograms.pixels[rows, None] - hit - fp - fn
        out[c] = _nearest(gain(np.stack([hit, fp, fn, tn], axis=2)), NEUTRAL)
    return out


def _nearest(scores: Array, neutral: int) -> int:
    """The place of the best score; of equals the one nearest to `neutral`, which NaN gives."""
    if np.isnan(scores).all():
        return neutral
    best = np.flatnonzero(scores >= np.nanmax(scores) - 1e-12)
    return int(best[np.abs(best - neutral).argmin()])


@dataclass(frozen=True)
class Pieces:
    """The regions of one class at one level: image, area, and pixels that are right, background,
    and judged; (R,) each."""

    image: Array
    area: Array
    hit: Array
    empty: Array
    said: Array

    def kept(self, smallest: int, least: int, count: int) -> tuple[Array, Array, Array]:
        """(N,) right, background and said pixels with these areas in force."""
        keep = self.area >= smallest
        total = np.bincount(self.image[keep], self.area[keep], count)
        keep &= total[self.image] >= max(least, 1) if len(self.image) else keep
        image = self.image[keep]
        hit, empty, said = (
            np.bincount(image, part[keep], count).astype(np.int64)
            for part in (self.hit, self.empty, self.said)
        )
        return hit, empty, said


def pieces_of(probs: Array, truth: Array, task: Task, wanted: Sequence[Array]) -> list[list[Array]]:
    """For each class and each of its wanted levels: (R, 4) area, right, background, judged."""
    levels, which = levels_of(probs, task)
    out: list[list[Array]] = []
    for number, own in enumerate(wanted, 1):
        true = truth[0] if which is not None else truth[number - 1]
        value = number if which is not None else 1
        out.append(
            [_regions(class_mask(levels, which, number, int(at)), true, value) for at in own]
        )
    return out


def _regions(mask: Array, true: Array, value: int) -> Array:
    if not mask.any():
        return np.zeros((0, 4), dtype=np.int64)
    numbers, areas = components(mask)
    inside = numbers[mask]
    marks, count = true[mask], len(areas) + 1
    found = [np.bincount(inside[chosen], minlength=count)[1:] for chosen in
             (marks == value, marks == 0, marks != IGNORED)]  # fmt: skip
    return np.stack([areas, *found], axis=1)


def _joined(rows: Sequence[list[list[Array]]], c: int, place: int) -> Pieces:
    parts = [row[c][place] for row in rows]
    image = np.repeat(np.arange(len(rows)), [len(part) for part in parts])
    table = np.concatenate(parts) if parts else np.zeros((0, 4), dtype=np.int64)
    return Pieces(image, *table.T)


def _candidates(areas: Array) -> Array:
    """Areas to try, 0 among them: just above some of those that occur."""
    if not len(areas):
        return np.zeros(1, dtype=np.int64)
    shares = np.linspace(0, 1, _AREAS)
    return np.unique(np.concatenate([[0], np.quantile(areas, shares).astype(np.int64) + 1]))


def _best_area(
    pieces: Pieces,
    rows: Array,
    histograms: Histograms,
    c: int,
    metric: Metric,
    smallest: int | None,
) -> int:
    """The best smallest region, or where that is given the best least pixels, on these rows."""
    count = len(histograms.pixels)
    inside = np.zeros(count, dtype=bool)
    inside[rows] = True
    own = inside[pieces.image]
    part = Pieces(*(values[own] for values in vars(pieces).values()))
    if smallest is None:
        areas = part.area
    else:
        big = part.area >= smallest
        totals = np.bincount(part.image[big], part.area[big], count)
        areas = totals[totals > 0].astype(np.int64)
    tried = _candidates(areas)
    scores = []
    for area in tried:
        pair = (int(area), 0) if smallest is None else (smallest, int(area))
        hit, _, said = (values[rows] for values in part.kept(*pair, count))
        fn, fp = histograms.there[rows, c] - hit, said - hit
        tn = histograms.pixels[rows] - hit - fp - fn
        scores.append(_gain(metric)(np.stack([hit, fp, fn, tn], axis=1)[:, None])[0])
    return int(tried[_nearest(np.array(scores), 0)])


@dataclass(frozen=True)
class RegionFit:
    """What was fitted: the rule on all rows; how it counts; and what is honest about it.

    `raw`, `tuned`, `honest`: (N, C, 4), with the neutral rule, the rule, the cross-fitted rule.
    `note`: which parts are used.
    """

    rule: RegionRule
    raw: Array
    tuned: Array
    honest: Array
    note: str


def fit_regions(
    sight: Sight, fold: Array, task: Task, metric: Metric, classes: int, each: Each, *, tuned: bool
) -> RegionFit:
    """The rule for these images, and its counts. fold: (N,).

    each: runs a function over all images and gives its results in their order. With `tuned` false
    or a single fold the neutral rule is taken. Two looks at every image.
    """
    one = task.link.normalized
    rows = each(lambda row: histogram(*sight(row), task, classes), len(fold), "scoring masks")
    histograms = collect(rows, one)
    half = np.full(classes, NEUTRAL, dtype=np.int64)
    raw = counts_at(histograms, half)
    zeros = np.zeros(classes, dtype=np.int64)
    numbers = np.unique(fold)
    if not tuned or len(numbers) < 2:
        return RegionFit(RegionRule(half, zeros, zeros), raw, raw, raw, "")
    parts = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in numbers]
    everything = np.arange(len(fold))
    wide = [best_levels(histograms, rest, metric) for rest, _ in parts]
    levels = best_levels(histograms, everything, metric)
    score = _scorer(metric, classes)
    crossed = np.empty((len(fold), classes), dtype=np.int64)
    for found, (_, here) in zip(wide, parts, strict=True):
        crossed[here] = found
    by_level = counts_at(histograms, crossed)
    roads = [_Road(half, [half] * len(parts), raw, [False])]
    if metric.better(score(by_level), score(raw)):
        roads.append(_Road(levels, wide, by_level, [True]))
    rules = [rule for road in roads for rule in (road.levels, *road.crossed)]
    fits = _Areas(sight, task, metric, histograms, each, rules)
    ends = [
        (fits.go(road, parts, score, number * (len(parts) + 1)), road, number * (len(parts) + 1))
        for number, road in enumerate(roads)
    ]
    honest, road, first = ends[0]
    for end in ends[1:]:
        if metric.better(score(end[0]), score(honest)):
            honest, road, first = end
    rule = fits.rule(first, road, everything)
    whole = fits.counts(first, rule.smallest, rule.least)
    return RegionFit(rule, raw, whole, honest, _told(road.used))


def _told(used: Sequence[bool]) -> str:
    told = [name for name, kept in zip(_STAGES, used, strict=True) if kept]
    left = [name for name, kept in zip(_STAGES, used, strict=True) if not kept]
    note = f"rule: {', '.join(told) or 'as it is'}"
    return note + f"; not used, for they gain nothing out of fold: {', '.join(left)}" * bool(left)


@dataclass
class _Road:
    """Levels to try areas on: those of all rows, and those without each fold; the cross-fitted
    counts; and which parts of the rule are used so far. (Areas that drop small regions may want
    other thresholds than one alone would.)"""

    levels: Array
    crossed: list[Array]
    counts: Array
    used: list[bool]


def _scorer(metric: Metric, classes: int) -> Callable[[Array], float]:
    return lambda counts: metric.score(counts, counts, classes)


class _Areas:
    """The regions at several rules of levels: that of all rows, then that without each fold."""

    def __init__(
        self,
        sight: Sight,
        task: Task,
        metric: Metric,
        histograms: Histograms,
        each: Each,
        rules: Sequence[Array],
    ) -> None:
        self.metric, self.histograms = metric, histograms
        classes = len(rules[0])
        wanted = [np.unique([rule[c] for rule in rules]) for c in range(classes)]
        count = len(histograms.pixels)
        rows = list(
            each(lambda row: pieces_of(*sight(row), task, wanted), count, "looking at regions")
        )
        made = {
            (c, int(level)): _joined(rows, c, place)
            for c in range(classes)
            for place, level in enumerate(wanted[c])
        }
        self.pieces = [[made[c, int(rule[c])] for c in range(classes)] for rule in rules]

    def counts(self, which: int, smallest: Array, least: Array) -> Array:
        """(N, C, 4) of the rule of levels number `which`, with these areas."""
        count = len(self.histograms.pixels)
        kept = [
            piece.kept(int(a), int(b), count)
            for piece, a, b in zip(self.pieces[which], smallest, least, strict=True)
        ]
        hit, empty, said = (np.stack(part, axis=1) for part in zip(*kept, strict=True))
        return with_background(hit, empty, said, self.histograms)

    def areas(self, which: int, rows: Array, smallest: Array | None) -> Array:
        """(K,) the best smallest regions on these rows, or given these the best least pixels."""
        return np.array(
            [
                _best_area(
                    piece, rows, self.histograms, c, self.metric,
                    None if smallest is None else int(smallest[c]),
                )
                for c, piece in enumerate(self.pieces[which])
            ]
        )  # fmt: skip

    def go(
        self,
        road: _Road,
        parts: Sequence[tuple[Array, Array]],
        score: Callable[[Array], float],
        first: int,
    ) -> Array:
        """Cross-fitted counts with the areas that gain; `road.used` says which do. first: the
        number of the road's first rule of levels."""
        best = road.counts
        smallest = least = [np.zeros(len(road.levels), dtype=np.int64)] * len(parts)
        small = [self.areas(first + k, rest, None) for k, (rest, _) in enumerate(parts, 1)]
        after = self._crossed(parts, small, least, best, first)
        road.used.append(self.metric.better(score(after), score(best)))
        if road.used[-1]:
            best, smallest = after, small
        least = [
            self.areas(first + k, rest, smallest[k - 1]) for k, (rest, _) in enumerate(parts, 1)
        ]
        after = self._crossed(parts, smallest, least, best, first)
        road.used.append(self.metric.better(score(after), score(best)))
        return after if road.used[-1] else best

    def _crossed(
        self,
        parts: Sequence[tuple[Array, Array]],
        smallest: Sequence[Array],
        least: Sequence[Array],
        like: Array,
        first: int,
    ) -> Array:
        out = np.empty_like(like)
        for k, (_, here) in enumerate(parts):
            out[here] = self.counts(first + k + 1, smallest[k], least[k])[here]
        return out

    def rule(self, first: int, road: _Road, rows: Array) -> RegionRule:
        """The rule of the road fitted on these rows, with the parts that are used."""
        smallest = least = np.zeros(len(road.levels), dtype=np.int64)
        if road.used[1]:
            smallest = self.areas(first, rows, None)
        if road.used[2]:
            least = self.areas(first, rows, smallest)
        return RegionRule(road.levels, smallest, least)


def mean_by_class(counts: Array, metric: Metric, classes: int) -> Array:
    """(K,) the score of each class over the set, without the background."""
    own = counts[:, counts.shape[1] - classes :].sum(axis=0).astype(float)
    ratio: Ratio = metric.ratio or RATIOS["dice"]
    return np.asarray(ratio(*own.T))
