"""Rules of regions for scores that are no counts of pixels, such as distances between outlines.

Nothing adds up over levels then, so each image is measured under a small grid of rules: thresholds,
and smallest regions as shares of the first image. Each class has its own regions and its own score,
so the best rule of each class is found apart from the others. It is cross-fitted, and used only
where it gains; whether the honest measures of a fold use it is decided on the other folds, by rules
that were fitted without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.ensemble.rules.region_fit import ForEach, ReadImage, RegionFit
from comp.ensemble.rules.regions import NEUTRAL, RegionRule, decide
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]

LEVELS = (NEUTRAL, 64, 96, 160, 192)  # the neutral one first: of equals the first is taken
SMALLEST = (0.0, 0.0005, 0.004)  # of the pixels of the first image


def search_regions(
    read: ReadImage,
    fold: Array,
    task: Task,
    metric: Metric,
    classes: int,
    for_each: ForEach,
    *,
    tuned: bool,
) -> RegionFit:
    """What `comp.ensemble.rules.region_fit.fit_regions` gives, with what `metric` measures."""
    columns, numbers = task.columns(classes), np.unique(fold)
    search = tuned and len(numbers) > 1
    rules = _rules(read, classes) if search else [_rule(NEUTRAL, 0, classes)]

    def measure(row: int) -> Array:
        probs, truth = read(row)
        return np.stack(
            [metric.of_image(truth, decide(probs, rule, task), probs, columns) for rule in rules]
        )

    table = np.stack(list(for_each(measure, len(fold), "measuring masks")), axis=1)
    raw = table[0]
    if not search:
        return RegionFit(rules[0], raw, raw, raw, raw, "")
    return _fitted(_Search(table, metric, classes), rules, fold, numbers)


def _rule(level: int, smallest: int, classes: int) -> RegionRule:
    zeros = np.zeros(classes, dtype=np.int64)
    return RegionRule(zeros + level, zeros + smallest, zeros)


def _rules(read: ReadImage, classes: int) -> list[RegionRule]:
    pixels = int(np.prod(read(0)[1].shape[1:]))
    areas = list(dict.fromkeys(round(share * pixels) for share in SMALLEST))
    return [_rule(level, area, classes) for area, level in itertools.product(areas, LEVELS)]


class _Search:
    """table: (R, N, C, K) what each image gives under each rule, the neutral one first."""

    def __init__(self, table: Array, metric: Metric, classes: int) -> None:
        self.table, self.metric, self.classes = table, metric, classes
        self.first = table.shape[2] - classes  # the background is before the classes

    def best(self, rows: Array) -> Array:
        """(K,) the number of the rule of each class that scores best on these rows."""
        sign = 1 if self.metric.greater_is_better else -1
        scores = np.stack(
            [self.metric.class_scores(part[rows], self.classes) for part in self.table]
        )[:, self.first :]
        return np.asarray(np.nan_to_num(sign * scores, nan=-np.inf).argmax(axis=0))

    def measured(self, chosen: Array) -> Array:
        """(N, C, K) under the rules of each class."""
        out = np.array(self.table[0])
        for place, number in enumerate(chosen):
            out[:, self.first + place] = self.table[number, :, self.first + place]
        return out

    def gains(self, rows: Array, measures: Array) -> bool:
        """Whether these measures of some rows score better than with the neutral rule."""
        found, plain = (
            self.metric.score(part, part, self.classes) for part in (measures, self.table[0][rows])
        )
        return bool(self.metric.better(found, plain))

    def crossed(self, fold: Array, without: int | None) -> tuple[Array, Array]:
        """The rows of all folds but `without`, and their measures, each fold by the rule of the
        others."""
        rows = np.flatnonzero(np.ones(len(fold), bool) if without is None else fold != without)
        out = self.table[0].copy()
        for number in np.unique(fold[rows]):
            rest, here = rows[fold[rows] != number], rows[fold[rows] == number]
            if len(rest):
                out[here] = self.measured(self.best(rest))[here]
        return rows, out[rows]


def _fitted(search: _Search, rules: Sequence[RegionRule], fold: Array, numbers: Array) -> RegionFit:
    raw = search.table[0]
    honest, by_fold = raw.copy(), []
    for number in numbers:
        here = fold == number
        used = len(numbers) > 2 and search.gains(*search.crossed(fold, int(number)))
        own = search.measured(search.best(np.flatnonzero(~here))) if used else raw
        honest[here] = own[here]
        by_fold.append(own)
    everywhere, crossed = search.crossed(fold, None)
    if not search.gains(everywhere, crossed):
        note = "rule: neutral; thresholds and smallest regions gain nothing out of fold"
        return RegionFit(rules[0], raw, raw, honest, raw, note, np.stack(by_fold))
    chosen = search.best(np.arange(len(fold)))
    picked = [rules[number] for number in chosen]
    rule = RegionRule(
        *(
            np.array([getattr(own, name)[place] for place, own in enumerate(picked)])
            for name in ("levels", "smallest", "least")
        )
    )
    note = "rule: thresholds and smallest regions from a grid"
    return RegionFit(rule, raw, search.measured(chosen), honest, crossed, note, np.stack(by_fold))
