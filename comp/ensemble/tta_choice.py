"""Test-time augmentation judged on the out-of-fold predictions: which views help, if any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from comp.core.errors import RunError
from comp.core.parallel import cores, read_ahead
from comp.ensemble.rules.regions import decide, neutral_rule
from comp.tasks.counts import count_pixels
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]
Scorer = Callable[[Sequence[int]], float]
Answers = Callable[[tuple[int, ...]], Array]
Score = Callable[[Array, Array], float]


@dataclass(frozen=True)
class ViewRow:
    """One view: its score alone, and with the image as it is; folds in which the latter gained."""

    view: str
    alone: float
    merged: float
    gained: int


@dataclass(frozen=True)
class Judged:
    """Which views were chosen.

    `chosen`      names with `+` between, for `predict.tta`
    `plain_score` of the image as it is
    `raw`         of the views that all folds together choose: flattering
    `honest`      cross-fitted: views chosen on the other folds, measured on this one
    """

    chosen: str
    plain_score: float
    raw: float
    honest: float
    folds: int
    rows: tuple[ViewRow, ...]

    def plain(self) -> dict[str, Any]:
        """Plain values; see `read_judged`."""
        return {**vars(self), "rows": [vars(row) for row in self.rows]}


def read_judged(tree: dict[str, Any]) -> Judged:
    """What `Judged.plain` wrote; RunError for anything else."""
    try:
        rows = tuple(ViewRow(**row) for row in tree["rows"])
        names = ("chosen", "plain_score", "raw", "honest", "folds")
        return Judged(**{name: tree[name] for name in names}, rows=rows)
    except (KeyError, TypeError) as problem:
        raise RunError(f"tta.json: not whole ({problem}); remove it and predict again") from problem


def judge_views(
    names: Sequence[str], metric: Metric, fold: Array, answers: Answers, score: Score
) -> Judged:
    """The views that help, by forward selection from the first one, the image as it is.

    fold: (N,) of each row. answers: numbers of views -> what these views together answer, (N, ...).
    score: which rows, their answers -> the score of `metric`. A view is added while it gains; the
    views are used only when choosing them on the other folds gains on this one too, over all folds.
    """
    everything, numbers = np.ones(len(fold), dtype=bool), np.unique(fold)

    def scorer(rows: Array) -> Scorer:
        return lambda views: score(rows, answers(tuple(views))[rows])

    of_all = scorer(everything)
    plain, chosen = of_all([0]), _select(metric, len(names), of_all)
    mixed = answers((0,)).copy()
    for number in numbers:
        here = fold == number
        rest = ~here if len(numbers) > 1 else here
        mixed[here] = answers(_select(metric, len(names), scorer(rest)))[here]
    honest = score(everything, mixed)
    by_fold = [scorer(fold == number) for number in numbers]
    rows = []
    for place, name in enumerate(names):
        gained = sum(metric.better(one([0, place]), one([0])) for one in by_fold if place)
        merged = of_all([0, place] if place else [0])
        rows.append(ViewRow(name, of_all([place]), merged, gained))
    used = chosen if metric.better(honest, plain) and len(numbers) > 1 else (0,)
    spec = "+".join(names[view] for view in used)
    return Judged(spec, plain, of_all(chosen), honest, len(numbers), tuple(rows))


def judge_probs(
    names: Sequence[str],
    task: Task,
    metric: Metric,
    target: Array,
    probs: Array,
    fold: Array,
    classes: int,
) -> Judged:
    """`judge_views` of an answer an image. probs: (V, N, C) of each view alone, out of fold."""

    def answers(views: tuple[int, ...]) -> Array:
        mean = probs[list(views)].mean(axis=0, dtype=np.float64)
        return mean if metric.wants == "probs" else task.decide(mean)

    def score(rows: Array, given: Array) -> float:
        return metric.score(target[rows], given, classes)

    return judge_views(names, metric, fold, answers, score)


def judge_maps(
    names: Sequence[str],
    task: Task,
    metric: Metric,
    truth: Array,
    maps: Array,
    fold: Array,
    classes: int,
) -> Judged:
    """`judge_views` of an answer a pixel: truth (N, L, H, W), maps (V, N, C, H, W), both uint8."""
    rule = neutral_rule(classes)

    @cache
    def answers(views: tuple[int, ...]) -> Array:
        def counts(row: int) -> Array:
            mean = maps[list(views), row].mean(axis=0, dtype=np.float32) / np.float32(255)
            return count_pixels(truth[row], decide(mean, rule, task), task.columns(classes))

        return np.stack(list(read_ahead(counts, range(len(truth)), cores())))

    def score(_rows: Array, given: Array) -> float:
        return metric.score(given, given, classes)

    return judge_views(names, metric, fold, answers, score)


def _select(metric: Metric, count: int, score: Scorer) -> tuple[int, ...]:
    """View numbers, the image as it is first, the others in their order; each gained when it was
    added to those before it."""
    chosen: tuple[int, ...] = (0,)
    best = score(chosen)
    while True:
        rest = [view for view in range(count) if view not in chosen]
        scores = [(score(sorted((*chosen, view))), view) for view in rest]
        gains = [pair for pair in scores if metric.better(pair[0], best)]
        if not gains:
            return chosen
        sign = 1 if metric.greater_is_better else -1
        best, view = max(gains, key=lambda pair: (sign * pair[0], -pair[1]))
        chosen = tuple(sorted((*chosen, view)))
