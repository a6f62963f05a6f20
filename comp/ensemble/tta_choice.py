"""Which views of test-time augmentation help, if any, measured on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from comp.core.errors import RunError
from comp.core.parallel import cores, read_ahead
from comp.ensemble.rules.regions import decide as region_labels
from comp.ensemble.rules.regions import neutral_rule
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]
Scorer = Callable[[Sequence[int]], float]
Decide = Callable[[tuple[int, ...]], Array]
Score = Callable[[Array, Array], float]


@dataclass(frozen=True)
class ViewRow:
    """One view: its score alone, its score merged with the unchanged image, and the number of folds
    in which merging gained."""

    view: str
    alone: float
    merged: float
    gained: int


@dataclass(frozen=True)
class ViewChoice:
    """Which views were chosen.

    `chosen`      names with `+` between, for `predict.tta`
    `plain_score` the score of the unchanged image
    `raw`         that of the views that all folds together choose: flattering
    `honest`      the cross-fitted one: views chosen on the other folds, measured on this one
    `folds`       how many folds were measured
    `by_fold`     for the validation images of each fold, the views that the other folds choose:
                  with views that they chose themselves, later scores on them would be too high.
                  Empty where it was not measured: then they are `chosen`
    """

    chosen: str
    plain_score: float
    raw: float
    honest: float
    folds: int
    rows: tuple[ViewRow, ...]
    by_fold: dict[str, str] = field(default_factory=dict)

    def views_for(self, fold: int) -> str:
        """The views for the validation images of a fold."""
        return self.by_fold.get(str(fold), self.chosen)

    def plain(self) -> dict[str, Any]:
        """Plain values; see `read_view_choice`."""
        return {**vars(self), "rows": [vars(row) for row in self.rows]}


def read_view_choice(tree: dict[str, Any]) -> ViewChoice:
    """What `ViewChoice.plain` wrote; RunError for anything else."""
    try:
        rows = tuple(ViewRow(**row) for row in tree["rows"])
        names = ("chosen", "plain_score", "raw", "honest", "folds")
        by_fold = dict(tree.get("by_fold", {}))  # version 0.2.0 wrote none
        return ViewChoice(**{name: tree[name] for name in names}, rows=rows, by_fold=by_fold)
    except (KeyError, TypeError, ValueError) as problem:
        raise RunError(f"tta.json: not whole ({problem}); remove it and predict again") from problem


def choose_views(
    names: Sequence[str],
    task: Task,
    metric: Metric,
    target: Array,
    probs: Array,
    fold: Array,
    classes: int,
    weights: Array | None = None,
) -> ViewChoice:
    """The views that help, by forward selection from the first one, the unchanged image.

    target: (N, ...) labels, or masks (N, L, H, W) uint8. probs: (V, N, C) of each view alone, out
    of fold, or maps (V, N, C, H, W) uint8. fold: (N,) of each row. weights: (N,) how much each row
    counts in the score, or None.
    A view is added while it gains; the views are used only when choosing them on the other folds
    gains on this one too, over all folds. For the validation images of a fold the same is decided
    by the other folds alone.
    """
    if task.spatial:
        decide, score = _map_evidence(task, metric, target, probs, classes)
    else:
        decide, score = _row_evidence(task, metric, target, probs, classes, weights)
    everything, numbers = np.ones(len(fold), dtype=bool), np.unique(fold)

    def scorer(rows: Array) -> Scorer:
        return lambda views: score(rows, decide(tuple(views))[rows])

    def crossed(rows: Array) -> tuple[Array, dict[int, tuple[int, ...]]]:
        """The answers with the views that the other folds of these rows choose; and the views."""
        mixed, views = decide((0,)).copy(), {}
        for number in np.unique(fold[rows]).tolist():
            here, rest = rows & (fold == number), rows & (fold != number)
            views[number] = _select(metric, len(names), scorer(rest if rest.any() else here))
            mixed[here] = decide(views[number])[here]
        return mixed, views

    def gain(rows: Array, mixed: Array) -> bool:
        return metric.better(score(rows, mixed[rows]), scorer(rows)([0]))

    of_all = scorer(everything)
    plain, chosen = of_all([0]), _select(metric, len(names), of_all)
    mixed, views = crossed(everything)
    honest = score(everything, mixed)
    used = chosen if len(numbers) > 1 and metric.better(honest, plain) else (0,)
    by_fold = {}
    for number in numbers.tolist():
        rest = fold != number
        own = crossed(rest)[0] if len(numbers) > 2 else mixed
        kept = len(numbers) > 1 and gain(rest, own)
        by_fold[str(number)] = _joined(names, views[number] if kept else (0,))
    return ViewChoice(
        chosen=_joined(names, used),
        plain_score=plain,
        raw=of_all(chosen),
        honest=honest,
        folds=len(numbers),
        rows=_view_rows(names, metric, of_all, [scorer(fold == number) for number in numbers]),
        by_fold=by_fold,
    )


def _joined(names: Sequence[str], views: Sequence[int]) -> str:
    return "+".join(names[view] for view in views)


def _view_rows(
    names: Sequence[str], metric: Metric, of_all: Scorer, by_fold: Sequence[Scorer]
) -> tuple[ViewRow, ...]:
    rows = []
    for place, name in enumerate(names):
        gained = sum(metric.better(one([0, place]), one([0])) for one in by_fold if place)
        merged = of_all([0, place] if place else [0])
        rows.append(ViewRow(name, of_all([place]), merged, gained))
    return tuple(rows)


def _row_evidence(
    task: Task, metric: Metric, target: Array, probs: Array, classes: int, weights: Array | None
) -> tuple[Decide, Score]:
    """Views -> the mean of their probabilities, or its labels; and the score of some rows."""

    def decide(views: tuple[int, ...]) -> Array:
        mean = probs[list(views)].mean(axis=0, dtype=np.float64)
        return mean if metric.wants == "probs" else task.decide(mean)

    own = weights

    def score(rows: Array, given: Array) -> float:
        return metric.score(target[rows], given, classes, None if own is None else own[rows])

    return decide, score


def _map_evidence(
    task: Task, metric: Metric, target: Array, maps: Array, classes: int
) -> tuple[Decide, Score]:
    """Views -> the pixel counts (N, C, 4) of the mean of their maps; and the score of some rows."""
    rule = neutral_rule(classes)

    @cache
    def decide(views: tuple[int, ...]) -> Array:
        def counts(row: int) -> Array:
            mean = maps[list(views), row].mean(axis=0, dtype=np.float32) / np.float32(255)
            return metric.of_image(target[row], region_labels(mean, rule, task), mean, columns)

        return np.stack(list(read_ahead(counts, range(len(target)), cores())))

    def score(_rows: Array, given: Array) -> float:
        return metric.score(given, given, classes)

    columns = task.columns(classes)
    return decide, score


def _select(metric: Metric, count: int, score: Scorer) -> tuple[int, ...]:
    """View numbers, the unchanged image first, the others in order; each gained when it was added
    to those before it."""
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
