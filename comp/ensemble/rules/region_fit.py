"""Rules of regions fitted on the out-of-fold maps, and what to expect of them.

Thresholds are exact to the 256 levels that scores have: each image gives one histogram, and the
counts at any threshold are sums over it. Areas are exact over the candidates that are tried: each
region gives how many of its pixels are right. Neither needs a second pass over the pixels.

Everything is cross-fitted: fitted on the images of the other folds, measured on this one. A part of
the rule (thresholds, then the smallest region, then the fewest pixels) is used only where it gains.
Which parts the honest counts of a fold use is decided on the other folds, too; with few images, and
at least four folds, by rules that were fitted without the images of this fold.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.ensemble.rules.region_levels import (
    Histograms,
    best_levels,
    collect,
    counts_at,
    gain_of,
    histogram,
    nearest,
    with_background,
)
from comp.ensemble.rules.regions import NEUTRAL, RegionRule, class_mask, components, levels_of
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]
# (probs (C, H, W), truth (L, H, W)) of one image, at its own size
ReadImage = Callable[[int], tuple[Array, Array]]
ForEach = Callable[[Callable[[int], Any], int, str], Iterable[Any]]

# Whether thresholds, smallest regions and fewest pixels are used
Parts = tuple[bool, bool, bool]

# (number of the levels, rows that they are fitted on, rows that they decide)
Turn = tuple[int, Array, Array]

NESTED = 500  # images: with more, what one fold adds to the rules of the others no longer matters
_AREAS = 48  # candidates for an area
_STAGES = ("thresholds", "smallest regions", "fewest pixels")


@dataclass(frozen=True)
class RegionCounts:
    """The R regions of one class at one level; (R,) each.

    `image`      the row of the image
    `area`       pixels of the region
    `hit`        of these, pixels of the class
    `empty`      of these, pixels of the background
    `predicted`  of these, all pixels that are not ignored
    """

    image: Array
    area: Array
    hit: Array
    empty: Array
    predicted: Array

    def kept(self, smallest: int, least: int, count: int) -> tuple[Array, Array, Array]:
        """(N,) hit, empty and predicted pixels of each image, with these areas as the rule."""
        keep = self.area >= smallest
        total = np.bincount(self.image[keep], self.area[keep], count)
        keep &= total[self.image] >= max(least, 1) if len(self.image) else keep
        image = self.image[keep]
        hit, empty, predicted = (
            np.bincount(image, part[keep], count).astype(np.int64)
            for part in (self.hit, self.empty, self.predicted)
        )
        return hit, empty, predicted


def count_regions(
    probs: Array, truth: Array, task: Task, wanted: Sequence[Array]
) -> list[list[Array]]:
    """For each class and each of its wanted levels: (R, 4) area, right, background, not ignored."""
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


def _joined(rows: Sequence[list[list[Array]]], c: int, place: int) -> RegionCounts:
    parts = [row[c][place] for row in rows]
    image = np.repeat(np.arange(len(rows)), [len(part) for part in parts])
    table = np.concatenate(parts) if parts else np.zeros((0, 4), dtype=np.int64)
    return RegionCounts(image, *table.T)


def _candidates(areas: Array) -> Array:
    """Areas to try, 0 among them: just above some of those that occur."""
    if not len(areas):
        return np.zeros(1, dtype=np.int64)
    shares = np.linspace(0, 1, _AREAS)
    return np.unique(np.concatenate([[0], np.quantile(areas, shares).astype(np.int64) + 1]))


def _best_area(
    regions: RegionCounts,
    rows: Array,
    histograms: Histograms,
    c: int,
    metric: Metric,
    smallest: int | None,
) -> int:
    """The best smallest region, or, where that is given, the best fewest pixels, on these rows."""
    count = len(histograms.pixels)
    inside = np.zeros(count, dtype=bool)
    inside[rows] = True
    own = inside[regions.image]
    part = RegionCounts(*(values[own] for values in vars(regions).values()))
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
        hit, _, predicted = (values[rows] for values in part.kept(*pair, count))
        fn, fp = histograms.actual[rows, c] - hit, predicted - hit
        tn = histograms.pixels[rows] - hit - fp - fn
        scores.append(gain_of(metric)(np.stack([hit, fp, fn, tn], axis=1)[:, None])[0])
    return int(tried[nearest(np.array(scores), 0)])


@dataclass(frozen=True)
class RegionFit:
    """What was fitted: the rule on all rows; how it counts; and what is honest about it.

    `raw`, `tuned`, `honest`: (N, C, 4), with the neutral rule, the rule, the cross-fitted rule.
    `sent`: the same, cross-fitted, with the parts that the rule has. `note`: which parts are used.
    `by_fold`: (K, N, C, 4) the counts of all images by the rule of each fold; None with many
    images, and where nothing is fitted.
    """

    rule: RegionRule
    raw: Array
    tuned: Array
    honest: Array
    sent: Array
    note: str
    by_fold: Array | None = None


def fit_regions(
    read: ReadImage,
    fold: Array,
    task: Task,
    metric: Metric,
    classes: int,
    for_each: ForEach,
    *,
    tuned: bool,
) -> RegionFit:
    """The rule for these images, and its counts. fold: (N,).

    for_each: runs a function over all images and gives its results in their order. With `tuned`
    false or a single fold the neutral rule is taken. It reads every image twice.
    """
    one = task.link.normalized
    rows = for_each(lambda row: histogram(*read(row), task, classes), len(fold), "scoring masks")
    histograms = collect(rows, one)
    half = np.full(classes, NEUTRAL, dtype=np.int64)
    raw = counts_at(histograms, half)
    zeros = np.zeros(classes, dtype=np.int64)
    numbers = np.unique(fold)
    if not tuned or len(numbers) < 2:
        return RegionFit(RegionRule(half, zeros, zeros), raw, raw, raw, raw, "")
    heres = [fold == number for number in numbers]
    rests = [np.arange(len(fold)), *(np.flatnonzero(~here) for here in heres)]
    turns = [*zip(range(1, len(rests)), rests[1:], heres, strict=True)]
    nested = _nested_turns(heres, rests) if len(fold) <= NESTED and len(heres) > 3 else None
    levels = [best_levels(histograms, rest, metric) for rest in rests]
    areas = _Areas(read, task, metric, histograms, for_each, [[half] * len(rests), levels])
    options = areas.cross_fitted(turns)

    def score(counts: Array) -> float:
        return metric.score(counts, counts, classes)

    honest, by_fold = np.empty_like(raw), []
    for place, (which, rest, here) in enumerate(turns):
        judged = options if nested is None else areas.cross_fitted(nested[place])
        others = {parts: counts[~here] for parts, counts in judged.items()}
        own = areas.of_turn(_best_parts(others, score, metric), which, rest)
        honest[here] = own[here]
        by_fold.append(own)
    parts = _best_parts(options, score, metric)
    rule = areas.rule(parts, rests[0])
    whole = areas.counts(int(parts[0]), 0, rule.smallest, rule.least)
    few = np.stack(by_fold) if len(fold) <= NESTED else None
    return RegionFit(rule, raw, whole, honest, options[parts], _note(parts), few)


def _nested_turns(heres: Sequence[Array], rests: list[Array]) -> list[list[Turn]]:
    """For each fold the turns of the other folds, none fitted on its rows; adds to `rests`."""
    turns: list[list[Turn]] = [[] for _ in heres]
    for one, other in itertools.combinations(range(len(heres)), 2):
        rests.append(np.flatnonzero(~(heres[one] | heres[other])))
        for out, here in ((one, other), (other, one)):
            turns[out].append((len(rests) - 1, rests[-1], heres[here]))
    return turns


def _best_parts(
    options: dict[Parts, Array], score: Callable[[Array], float], metric: Metric
) -> Parts:
    """The parts of the rule that gain on these counts, each added to those before it.

    Areas are tried with thresholds and without: areas that drop small regions may need other
    thresholds than thresholds alone.
    """
    found: list[Parts] = []
    for levels in (False, True):
        parts: Parts = (levels, False, False)
        if levels and not metric.better(score(options[parts]), score(options[False, False, False])):
            continue
        for place in (1, 2):
            more: Parts = (levels, parts[1] or place == 1, place == 2)
            if metric.better(score(options[more]), score(options[parts])):
                parts = more
        found.append(parts)
    best = found[0]
    for parts in found[1:]:
        best = parts if metric.better(score(options[parts]), score(options[best])) else best
    return best


def _note(used: Parts) -> str:
    kept = [name for name, is_kept in zip(_STAGES, used, strict=True) if is_kept]
    dropped = [name for name, is_kept in zip(_STAGES, used, strict=True) if not is_kept]
    note = f"rule: {', '.join(kept) or 'neutral'}"
    if dropped:
        note += f"; not used because they gain nothing out of fold: {', '.join(dropped)}"
    return note


class _Areas:
    """The regions at several levels.

    levels: two lists, neutral levels and fitted ones; in each the levels from all images, then
    those from the other folds of each fold.
    """

    def __init__(
        self,
        read: ReadImage,
        task: Task,
        metric: Metric,
        histograms: Histograms,
        for_each: ForEach,
        levels: Sequence[Sequence[Array]],
    ) -> None:
        self.metric, self.histograms, self.levels = metric, histograms, levels
        self.known: dict[tuple[Parts, int], tuple[Array, Array]] = {}
        rules = [rule for rules in levels for rule in rules]
        classes = len(rules[0])
        wanted = [np.unique([rule[c] for rule in rules]) for c in range(classes)]
        count = len(histograms.pixels)
        rows = list(
            for_each(
                lambda row: count_regions(*read(row), task, wanted), count, "measuring regions"
            )
        )
        made = {
            (c, int(level)): _joined(rows, c, place)
            for c in range(classes)
            for place, level in enumerate(wanted[c])
        }
        self.regions = [
            [[made[c, int(rule[c])] for c in range(classes)] for rule in rules] for rules in levels
        ]

    def counts(self, kind: int, which: int, smallest: Array, least: Array) -> Array:
        """(N, C, 4) with the levels number `which` of a kind (0 neutral, 1 fitted), and areas."""
        count = len(self.histograms.pixels)
        kept = [
            part.kept(int(a), int(b), count)
            for part, a, b in zip(self.regions[kind][which], smallest, least, strict=True)
        ]
        hit, empty, predicted = (np.stack(part, axis=1) for part in zip(*kept, strict=True))
        return with_background(hit, empty, predicted, self.histograms)

    def areas(self, kind: int, which: int, rows: Array, smallest: Array | None) -> Array:
        """(K,) the best smallest regions on these rows, or, given these, the best fewest pixels."""
        given = [None] * len(self.levels[0][0]) if smallest is None else smallest.tolist()
        regions = self.regions[kind][which]
        return np.array(
            [
                _best_area(part, rows, self.histograms, c, self.metric, given[c])
                for c, part in enumerate(regions)
            ]
        )

    def fitted(self, parts: Parts, which: int, rows: Array) -> tuple[Array, Array]:
        """(K,) smallest regions and fewest pixels fitted on these rows; zeros for unused parts.

        rows: always the same for the same `which`.
        """
        if (parts, which) not in self.known:
            kind, zeros = int(parts[0]), np.zeros(len(self.levels[0][0]), dtype=np.int64)
            smallest = self.areas(kind, which, rows, None) if parts[1] else zeros
            least = self.areas(kind, which, rows, smallest) if parts[2] else zeros
            self.known[parts, which] = smallest, least
        return self.known[parts, which]

    def of_turn(self, parts: Parts, which: int, rest: Array) -> Array:
        """(N, C, 4) the counts of all images by the rule that is fitted on `rest`."""
        return self.counts(int(parts[0]), which, *self.fitted(parts, which, rest))

    def cross_fitted(self, turns: Sequence[Turn]) -> dict[Parts, Array]:
        """(N, C, 4) of each choice of parts: the rows of each turn by what was fitted for it; zeros
        for rows of no turn."""
        out: dict[Parts, Array] = {}
        for parts in itertools.product((False, True), (False, True), (False, True)):
            for which, rest, here in turns:
                own = self.of_turn(parts, which, rest)
                counts = out.setdefault(parts, np.zeros_like(own))
                counts[here] = own[here]
        return out

    def rule(self, parts: Parts, rows: Array) -> RegionRule:
        """The rule with these parts, fitted on all rows."""
        return RegionRule(self.levels[int(parts[0])][0], *self.fitted(parts, 0, rows))
