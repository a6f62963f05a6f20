"""Out-of-fold answers of one run beside the truth: what every part of its page is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from comp.ensemble.compare import Scores
from comp.ensemble.cross_fit import units_of
from comp.ensemble.label_issues import LabelIssue
from comp.ensemble.prior import both_columns
from comp.tasks.counts import known_cells
from comp.tasks.kinds import Task, one_hot
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OofAnswers:
    """The out-of-fold rows of a run, in the order of their ids.

    `ids, classes`  of the N images and the K classes (of numbers: of the columns)
    `target`        (N,), or (N, K) with UNKNOWN where nobody said, or numbers (N, K)
    `probs`         (N, C): of a binary task C = 1; of numbers the numbers themselves
    `labels`        the answers by the kind of rule that is sent, cross-fitted where it is tuned, in
                    the shape of `target`; all of a page but the score of the run is about these
    `sent`          what the metric takes of them: `labels` or probabilities
    `honest`        the answers that `scores.honest` is of, see `comp.ensemble.evidence.CrossFit`
    `mixed`         what is taken off the score of `honest`, see there
    `rule`          (C,) the rule of all rows
    `scores`        see `comp.ensemble.compare.Scores`; `note` of the rule
    `fold, groups`  (N,) and (N,) text or None
    `weights`       (N,) how much each image counts in the score, or None
    `by_task`       of several tasks: the honest score of each
    `issues`        the doubted labels, the most doubted first
    """

    task: Task
    metric: Metric
    ids: Sequence[str]
    classes: Sequence[str]
    target: Array
    probs: Array
    labels: Array
    sent: Array
    honest: Array
    rule: Array
    scores: Scores
    fold: Array
    groups: Sequence[str] | None = None
    issues: Sequence[LabelIssue] = ()
    note: str = ""
    weights: Array | None = None
    mixed: float = 0.0
    by_task: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def units(self) -> int:
        """How many images, or where there are groups how many groups, are independent."""
        return units_of(len(self), self.groups)

    @property
    def kept(self) -> bool:
        """Whether a tuned rule is used."""
        return not np.array_equal(self.rule, self.task.link.neutral(self.probs.shape[1]))

    @cached_property
    def sent_score(self) -> float:
        """The score of `sent`, which the tables are about."""
        return self.metric.score(self.target, self.sent, len(self.classes), self.weights)

    @property
    def numbers(self) -> Array:
        """(N, K) of numbers: the answers. Of several tasks `sent` has their decisions behind."""
        return self.sent[:, : self.target.shape[1]]

    @property
    def kind(self) -> str:
        """class, columns or numbers."""
        return self.task.target_kind

    @cached_property
    def truth(self) -> Array:
        """(N, K) bool: which classes each image has; False where nobody said."""
        if self.target.ndim == 1:
            return one_hot(self.target, len(self.classes)).astype(bool)
        return np.asarray(self.target > 0)

    @cached_property
    def said(self) -> Array:
        """(N, K) bool: which classes each image is given."""
        if self.labels.ndim == 1:
            return one_hot(self.labels, len(self.classes)).astype(bool)
        return np.asarray(self.labels > 0)

    @cached_property
    def known(self) -> Array:
        """(N, K) bool: what somebody said something about."""
        cells = known_cells(self.target)
        return np.ones((len(self), len(self.classes)), bool) if cells is None else cells

    @cached_property
    def chance(self) -> Array:
        """(N, K) the probability of each class, of both of a binary task."""
        if self.target.ndim == 1 and self.probs.shape[1] == 1:
            return np.asarray(both_columns(self.probs))
        return self.probs

    @cached_property
    def wrong(self) -> Array:
        """(N,) bool: images with something wrong; of numbers those that are off by more than one
        standard deviation of the errors."""
        if self.kind == "numbers":
            return np.asarray((self.off > 1).any(axis=1))
        return np.asarray(((self.truth != self.said) & self.known).any(axis=1))

    @cached_property
    def off(self) -> Array:
        """(N, K) of numbers: errors in root mean squares of their column."""
        errors = np.nan_to_num(np.abs(self.numbers - self.target))
        usual = np.sqrt((errors**2).mean(axis=0))
        return np.asarray(errors / np.where(usual > 0, usual, 1))

    @cached_property
    def badness(self) -> Array:
        """(N,) how bad the answer is: one minus the probability of the truth (of several classes
        the worst one), or the error of the number that is furthest off, in root mean squares."""
        if self.kind == "numbers":
            return np.asarray(self.off.max(axis=1, initial=0))
        if self.target.ndim == 1:
            rows = np.arange(len(self))
            return 1 - np.asarray(self.chance[rows, self.target], dtype=float)
        cells = np.where(self.truth, 1 - self.chance, self.chance) * self.known
        return np.asarray(cells.max(axis=1, initial=0), dtype=float)

    def confidence(self) -> tuple[Array, Array]:
        """Probabilities, and whether what they were said of is so: of the likeliest class of each
        image, or of every known cell of 0/1 columns."""
        if self.target.ndim == 1:
            likely = self.chance.argmax(axis=1)
            rows = np.arange(len(self))
            return self.chance[rows, likely], likely == self.target
        return self.chance[self.known], self.truth[self.known]

    def truth_text(self, row: int) -> str:
        """What an image is."""
        if self.kind == "numbers":
            return ", ".join(f"{value:.5g}" for value in self.target[row])
        return (
            ", ".join(self.classes[k] for k in np.flatnonzero(self.truth[row]).tolist()) or "none"
        )

    def answer_text(self, row: int) -> str:
        """What it is given."""
        if self.kind == "numbers":
            return ", ".join(f"{value:.5g}" for value in self.numbers[row])
        return ", ".join(self.classes[k] for k in np.flatnonzero(self.said[row]).tolist()) or "none"
