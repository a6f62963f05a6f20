"""What votes, weights and rules are fitted and scored on: out-of-fold predictions and the truth.

`Evidence` has two implementations: over a table of probabilities
(`comp.ensemble.table_evidence`), and over masks, one image at a time
(`comp.ensemble.mask_evidence`). Everything that compares votes knows this protocol only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from comp.ensemble.label_issues import LabelIssue
from comp.ensemble.votes import Vote
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fitting:
    """How weights and rules are fitted.

    `tune`   whether a rule is fitted; otherwise the neutral rule is used
    `seed`   the random seed of the search for weights
    `given`  (M,) weights that are not fitted, for a weigher that is no search; otherwise None
    """

    tune: bool
    seed: int
    given: Array | None = None


@dataclass(frozen=True)
class Fit:
    """What was fitted.

    `weights`     (M,) one per member, summing to 1
    `rule`        (C,) thresholds or offsets; (M, C) where each member has its own; for masks (C, 3)
                  threshold, smallest region and fewest pixels per class
    `shrunk`      how strongly thresholds were drawn to the neutral ones; 0 is not at all
    `per_member`  whether the first axis of the rule is the members
    """

    weights: Array
    rule: Array
    shrunk: float = 0.0
    per_member: bool = False


@dataclass(frozen=True)
class CrossFit:
    """A fit, and what it answers for the out-of-fold images.

    Answers are what the metric takes: labels or probabilities in the order of the evidence, or
    counts of pixels (N, C, 4).

    `fit`     weights and rule from all rows
    `raw`     the answers with these weights and the neutral rule
    `tuned`   the answers with these weights and this rule, on the rows that they were fitted on
    `honest`  the answers of each fold with weights and rule from the other folds
    `sent`    the same by the kind of rule that is sent: the tuned one where it is kept, else the
              neutral one. What a class or an image is told by. `honest` also counts the choice
              between the two, so that its score does not flatter
    `note`    what the user should know of the rule; may be empty
    `mixed`   how much higher `honest` scores because several rules decide it, see
              `comp.ensemble.cross_fit.gain_of_mixing`. What is written has one rule, so the score
              to expect of it is without this
    """

    fit: Fit
    raw: Array
    tuned: Array
    honest: Array
    sent: Array
    note: str = ""
    mixed: float = 0.0


class Evidence(Protocol):
    """Out-of-fold predictions of several members, with the truth."""

    @property
    def metric(self) -> Metric:
        """The metric that everything is fitted to and scored by."""

    @property
    def members(self) -> int:
        """M, how many members there are."""

    @property
    def fold(self) -> Array:
        """(N,) the fold of each image."""

    @property
    def groups(self) -> Sequence[str] | None:
        """(N,) what the bootstrap draws whole, or None."""

    def votes(self) -> tuple[Vote, ...]:
        """The votes that can be used with this metric and these predictions."""

    def cross_fit(self, vote: Vote, weigher: str, fitting: Fitting) -> CrossFit:
        """Fit weights and rule on all images, and on the other folds of each fold.

        Raises TuneError where something is to be fitted and there is only one fold.
        """

    def decide(self, vote: Vote, fit: Fit) -> Array:
        """The answers of all images with a fit, in the form that the metric takes."""

    def score(self, answers: Array) -> float:
        """The score of answers; NaN where the metric is not defined."""

    def interval(self, answers: Array, seed: int) -> tuple[float, float]:
        """The 95 % bootstrap interval of the score, over whole groups where there are groups."""

    def class_scores(self, answers: Array) -> dict[str, float | None] | None:
        """The score of each class, None where it is undefined; None where no class has its own."""

    def label_issues(self) -> list[LabelIssue]:
        """The training labels that the mean of the members doubts, the most doubted first."""

    def to_show(self, issues: Sequence[LabelIssue], count: int) -> Sequence[LabelIssue]:
        """The first `count` issues that have pictures of their own."""

    def pictures(self, issue: LabelIssue) -> Sequence[tuple[str, Array | None]]:
        """What to show of an issue: titles, each with a mask (H, W, L) to paint over the image, or
        None for the image alone."""
