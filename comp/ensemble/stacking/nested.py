"""A second-level model with an honest score: the answers of a fold come from a model, and from a
strength, that the other folds chose.

D. Wolpert, Stacked generalization, Neural Networks 5 (1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.ensemble.cross_fit import check_folds
from comp.ensemble.stacking.inputs import Encoder
from comp.ensemble.stacking.models import Second, fit_second
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task, one_hot

Array = np.ndarray[Any, Any]
Cells = Sequence[Sequence[str]]

_CLIP = 1e-6


@dataclass(frozen=True)
class Level:
    """What a second level is fitted on.

    `answers`  (N, A) out-of-fold answers of the runs as logits
    `cells`    further columns, (N,) text each
    `target`   (N,) or (N, C)
    `fold`     (N,)
    """

    task: Task
    columns: int
    answers: Array
    cells: Cells
    target: Array
    fold: Array
    seed: int = 0

    def at(self, rows: Array) -> Level:
        """The same with some rows."""
        places: list[int] = np.flatnonzero(rows).tolist()
        cells = [[column[place] for place in places] for column in self.cells]
        return Level(
            *(self.task, self.columns, self.answers[rows], cells),
            *(self.target[rows], self.fold[rows], self.seed),
        )

    def answer(self, second: Second, strength: float, answers: Array, cells: Cells) -> Array:
        """(n, C) probabilities for other rows by a model that is fitted on these."""
        encoder = Encoder.fit(self.answers, self.cells)
        inputs = encoder.encode(self.answers, self.cells)
        made = fit_second(second, strength, inputs, self.target, self.task, self.columns, self.seed)
        return made(encoder.encode(answers, cells))


@dataclass(frozen=True)
class Stacked:
    """Out-of-fold answers (N, C), those of other rows (T, C), and the strength of the latter."""

    oof: Array
    test: Array
    strength: float


def stack(level: Level, second: Second, answers: Array, cells: Cells) -> Stacked:
    """Fit the second level on all rows for the test images, and on the other folds of each fold.

    answers, cells: of the test images. Raises TuneError with a single fold.
    """
    out = np.empty((len(level.fold), level.columns), dtype=np.float32)
    for number in check_folds(level.fold):
        here = level.fold == number
        rest, own = level.at(~here), level.at(here)
        strength = choose_strength(rest, second)
        out[here] = rest.answer(second, strength, own.answers, own.cells)
    strength = choose_strength(level, second)
    return Stacked(out, level.answer(second, strength, answers, cells), strength)


def choose_strength(level: Level, second: Second) -> float:
    """The strength whose answers to each fold, fitted on the others, have the lowest log loss; with
    one fold the simplest."""
    numbers = np.unique(level.fold)
    if len(numbers) < 2:
        return second.strengths[0]
    costs = []
    for strength in second.strengths:
        total = 0.0
        for number in numbers:
            own = level.at(level.fold == number)
            rest = level.at(level.fold != number)
            probs = rest.answer(second, strength, own.answers, own.cells)
            total += log_cost(level.task, own.target, probs)
        costs.append(total)
    return second.strengths[int(np.argmin(costs))]


def log_cost(task: Task, target: Array, probs: Array) -> float:
    """The sum of minus the logs of the probability of what is true; unknown cells cost nothing."""
    inside = np.clip(probs.astype(np.float64), _CLIP, 1 - _CLIP)
    if task.link.normalized:
        return float(-np.log((inside * one_hot(target, probs.shape[1])).sum(axis=1)).sum())
    truth = target.reshape(probs.shape)
    cost = np.where(truth > 0, -np.log(inside), -np.log1p(-inside))
    return float(cost[truth != UNKNOWN].sum())
