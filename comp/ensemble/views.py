"""Test-time augmentation judged on the out-of-fold predictions: which views help, if any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.errors import RunError
from comp.metrics import Metric
from comp.tasks import Task

Array = np.ndarray[Any, Any]
Scorer = Callable[[Sequence[int]], float]


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
    names: Sequence[str],
    task: Task,
    metric: Metric,
    target: Array,
    probs: Array,
    fold: Array,
    classes: int,
) -> Judged:
    """The views that help, by forward selection from the first one, the image as it is.

    probs: (V, N, C) of each view of `names` alone, out of fold. A view is added while it gains; the
    views are used only when choosing them on the other folds gains on this one too, over all folds.
    """
    everything, numbers = np.ones(len(target), dtype=bool), np.unique(fold)

    def scorer(rows: Array) -> Scorer:
        own, truth = probs[:, rows], target[rows]
        return lambda views: _score(task, metric, truth, own[list(views)], classes)

    score = scorer(everything)
    plain, chosen = score([0]), _select(metric, len(names), score)
    mixed = np.empty(probs.shape[1:], dtype=np.float64)
    for number in numbers:
        here = fold == number
        rest = ~here if len(numbers) > 1 else here
        picked = _select(metric, len(names), scorer(rest))
        mixed[here] = probs[:, here][picked].mean(axis=0)
    honest = _score(task, metric, target, mixed[None], classes)
    by_fold = [scorer(fold == number) for number in numbers]
    rows = []
    for place, name in enumerate(names):
        gained = sum(metric.better(one([0, place]), one([0])) for one in by_fold if place)
        merged = score([0, place] if place else [0])
        rows.append(ViewRow(name, score([place]), merged, gained))
    used = chosen if metric.better(honest, plain) and len(numbers) > 1 else [0]
    spec = "+".join(names[view] for view in used)
    return Judged(spec, plain, score(chosen), honest, len(numbers), tuple(rows))


def _score(task: Task, metric: Metric, target: Array, probs: Array, classes: int) -> float:
    mean = probs.mean(axis=0, dtype=np.float64)
    return metric.score(target, mean if metric.wants == "probs" else task.decide(mean), classes)


def _select(metric: Metric, count: int, score: Scorer) -> list[int]:
    """View numbers, the image as it is first; each one added gained over those before."""
    chosen, best = [0], score([0])
    while True:
        rest = [view for view in range(count) if view not in chosen]
        scores = [(score([*chosen, view]), view) for view in rest]
        gains = [pair for pair in scores if metric.better(pair[0], best)]
        if not gains:
            return chosen
        sign = 1 if metric.greater_is_better else -1
        best, view = max(gains, key=lambda pair: (sign * pair[0], -pair[1]))
        chosen.append(view)
