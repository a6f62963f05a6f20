"""Evidence over a table: each member's out-of-fold probabilities of each image, (N, C)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp.ensemble.blend_scores import make_judge
from comp.ensemble.cross_fit import (
    bootstrap,
    check_folds,
    fit_rule,
    gain_of_mixing,
)
from comp.ensemble.evidence import CrossFit, Fit, Fitting
from comp.ensemble.label_issues import (
    LabelIssue,
    class_issues,
    column_issues,
    grade_issues,
    number_issues,
)
from comp.ensemble.prior import both_columns
from comp.ensemble.rules.thresholds import tune
from comp.ensemble.votes import VOTES, Vote
from comp.ensemble.weights import WEIGHERS
from comp.tasks.grades import expected_grade
from comp.tasks.kinds import SOFTMAX, Part, Task
from comp.tasks.metrics import Metric
from comp.tasks.several.metric import score_of_part
from comp.tasks.several.parts import known_rows, own_target

Array = np.ndarray[Any, Any]

# Up to so many rows a rule is kept or dropped by rules that were fitted without the fold in
# question; with more rows what one fold adds to the others' rules no longer matters
_NESTED = 5000


@dataclass(frozen=True)
class TableEvidence:
    """See `comp.ensemble.evidence.Evidence`.

    `target`         (N,) or (N, C)
    `fold`           (N,)
    `probs`          the members' out-of-fold probabilities, each (N, C)
    `classes`        how many classes there are (binary: 2)
    `weights`        (N,) how much each row counts, or None
    `groups`         (N,) what the bootstrap draws whole, or None
    `ids, names`     of the images and of the classes; needed for label issues only
    `own_folds`      (N,) for each member, where they have other folds than `fold`, or ()
    """

    task: Task
    metric: Metric
    target: Array
    fold: Array
    probs: tuple[Array, ...]
    classes: int
    weights: Array | None = None
    groups: Sequence[str] | None = None
    ids: Sequence[str] = ()
    names: Sequence[str] = ()
    own_folds: tuple[Array, ...] = ()

    @property
    def parts(self) -> Array:
        """(N,) or (M, N): within which rows the probabilities of a member can be ranked."""
        return np.stack(self.own_folds) if self.own_folds else self.fold

    @property
    def members(self) -> int:
        """See Evidence."""
        return len(self.probs)

    def at(self, rows: Array) -> TableEvidence:
        """The evidence of some rows; without groups and ids."""
        return replace(
            self,
            target=self.target[rows],
            fold=self.fold[rows],
            own_folds=tuple(own[rows] for own in self.own_folds),
            probs=tuple(member[rows] for member in self.probs),
            weights=None if self.weights is None else self.weights[rows],
            groups=None,
            ids=(),
        )

    def neutral(self) -> Array:
        """The rule that changes nothing."""
        return self.task.link.neutral(self.probs[0].shape[1])

    def votes(self) -> tuple[Vote, ...]:
        """See Evidence."""
        wants_labels = self.metric.wants == "labels"
        return tuple(
            vote
            for vote in VOTES.values()
            if (vote.gives_probs or wants_labels) and (vote.measures or not self.task.link.measures)
        )

    def score(self, answers: Array) -> float:
        """See Evidence."""
        return self.metric.score(self.target, answers, self.classes, self.weights)

    def interval(self, answers: Array, seed: int) -> tuple[float, float]:
        """See Evidence."""
        return bootstrap(
            self.metric,
            self.target,
            answers,
            self.classes,
            self.groups,
            seed,
            weights=self.weights,
        )

    def class_scores(self, answers: Array) -> None:
        """See Evidence: a table has one score."""

    def fit(self, vote: Vote, weigher: str, fitting: Fitting) -> Fit:
        """Weights and rule from all of these rows."""
        weights = np.full(self.members, 1 / self.members)
        if fitting.given is not None:
            weights = fitting.given / fitting.given.sum()
        search = None if vote.middle else WEIGHERS.get(weigher)
        if fitting.given is None and search is not None and self.members > 1:
            judge = make_judge(
                self.task,
                self.metric,
                vote,
                self.target,
                self.probs,
                self._first_rule(vote, weights, fitting),
                parts=self.parts,
                weights=self.weights,
            )
            weights = search(judge, fitting.seed)
        if not self._tunes(fitting):
            return Fit(weights, self.neutral())
        return self._with_rule(vote, weights)

    def _tunes(self, fitting: Fitting) -> bool:
        shown = self.task.link.tuner in ("new", "rules")  # a metric of probabilities sees the rule
        return fitting.tune and (self.metric.wants == "labels" or shown)

    def _first_rule(self, vote: Vote, weights: Array, fitting: Fitting) -> Array:
        """The rule under which weights are searched: that of equal weights."""
        if not self._tunes(fitting):
            return self.neutral()
        if not vote.gives_probs:
            return np.stack([self._tuned(member) for member in self.probs])
        if self.task.link.tuner == "offsets":
            return self.neutral()
        return self._tuned(self._merged(vote, weights))

    def _tuned(self, probs: Array) -> Array:
        return tune(self.task, self.metric, self.target, probs, self.weights)

    def _merged(self, vote: Vote, weights: Array) -> Array:
        result = vote.merge(self.probs, weights, self.task, self.neutral(), parts=self.parts)
        assert result.probs is not None
        return result.probs

    def _with_rule(self, vote: Vote, weights: Array) -> Fit:
        """One rule for the merged probabilities, or where members vote, one per member."""
        merged = [self._merged(vote, weights)] if vote.gives_probs else list(self.probs)
        found = [
            fit_rule(self.task, self.metric, self.target, probs, self.fold, self.weights)
            for probs in merged
        ]
        rules = np.stack([rule for rule, _ in found])
        shrunk = max(strength for _, strength in found)
        if len(rules) == 1:
            return Fit(weights, rules[0], shrunk)
        return Fit(weights, rules, shrunk, per_member=True)

    def decide(self, vote: Vote, fit: Fit) -> Array:
        """See Evidence: labels, or probabilities where the metric wants them."""
        wanted = self.metric.wants == "probs"
        result = vote.merge(
            self.probs, fit.weights, self.task, fit.rule, parts=self.parts, keep_probs=wanted
        )
        if not wanted:
            return result.labels
        assert result.probs is not None, "check_vote refuses votes without probabilities"
        return self.task.link.shown(result.probs, fit.rule)

    def cross_fit(self, vote: Vote, weigher: str, fitting: Fitting) -> CrossFit:
        """See Evidence.

        The rule is kept unless its cross-fitted score is below that of the neutral rule. The honest
        answers of a fold use the rule where the other folds keep it: a choice by the number that is
        reported would flatter it.
        """
        whole = self.fit(vote, weigher, fitting)
        searched = WEIGHERS.get(weigher) is not None and self.members > 1 and not vote.middle
        # Weights that were searched under a rule are none for ballots without it
        untuned = replace(fitting, tune=False)
        again = searched and self._tunes(fitting)
        plain_fit = Fit(whole.weights, self.neutral())
        plain_fit = self.fit(vote, weigher, untuned) if again else plain_fit
        raw = self.decide(vote, plain_fit)
        if not self._tunes(fitting) and not searched:
            return CrossFit(plain_fit, raw, raw, raw, raw)
        fits = self._without_each_fold(vote, weigher, fitting)
        plains = [Fit(fit.weights, self.neutral()) for fit in fits]
        plains = self._without_each_fold(vote, weigher, untuned) if again else plains
        plain = self._each_fold(vote, plains)
        if not self._tunes(fitting):
            return CrossFit(plain_fit, raw, raw, plain, plain, mixed=self._mixed(vote, plains))
        tuned = self._each_fold(vote, fits)
        used = [
            fit
            if self._others_keep(number, (plain, tuned), (neutral, fit), vote, fitting)
            else neutral
            for number, fit, neutral in zip(np.unique(self.fold), fits, plains, strict=True)
        ]
        honest, mixed = self._each_fold(vote, used), self._mixed(vote, used)
        if self._keeps(plain, tuned):
            return CrossFit(whole, raw, self.decide(vote, whole), honest, tuned, mixed=mixed)
        note = (
            f"{self.task.link.tuner} not used: tuned on the other folds they score "
            f"{self.score(tuned):.4f}, untuned {self.score(plain):.4f}"
        )
        return CrossFit(plain_fit, raw, raw, honest, plain, note, mixed)

    def _keeps(self, plain: Array, tuned: Array) -> bool:
        """Whether tuned answers are not worse than those with the neutral rule."""
        return not self.metric.better(self.score(plain), self.score(tuned))

    def _others_keep(
        self,
        number: int,
        answers: tuple[Array, Array],
        pairs: tuple[Fit, Fit],
        vote: Vote,
        fitting: Fitting,
    ) -> bool:
        """Whether the other folds keep the rule; with few rows by rules fitted without this one.

        answers: of all rows, with the neutral rule and with the tuned one. pairs: these fits, of
        the other folds.
        """
        rest = self.at(self.fold != number)
        pair = tuple(part[self.fold != number] for part in answers)
        if len(self.fold) <= _NESTED and len(np.unique(rest.fold)) > 1:
            neutral, fit = pairs
            given = replace(fitting, given=fit.weights)
            fits = rest._without_each_fold(vote, "equal", given)
            plains = [Fit(neutral.weights, self.neutral()) for _ in fits]
            pair = rest._each_fold(vote, plains), rest._each_fold(vote, fits)
        return rest._keeps(*pair)

    def _without_each_fold(self, vote: Vote, weigher: str, fitting: Fitting) -> list[Fit]:
        """For each fold, in the order of their numbers, what is fitted on the others."""
        numbers = check_folds(self.fold)
        return [self.at(self.fold != number).fit(vote, weigher, fitting) for number in numbers]

    def _each_fold(self, vote: Vote, fits: Sequence[Fit]) -> Array:
        """The answers of all rows, each fold by its own fit."""
        numbers = np.unique(self.fold)
        places = [np.flatnonzero(self.fold == number) for number in numbers]
        parts = [self.at(own).decide(vote, fit) for own, fit in zip(places, fits, strict=True)]
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]

    def _mixed(self, vote: Vote, fits: Sequence[Fit]) -> float:
        """See CrossFit; with many rows the fits hardly differ, so nothing is computed."""
        if self.metric.wants != "labels" or len(self.fold) > _NESTED:
            return 0.0
        answers = np.stack([self.decide(vote, fit) for fit in fits])
        return gain_of_mixing(self.score, answers, self.fold)

    def of_part(self, part: Part, metric: Metric) -> TableEvidence:
        """The evidence of one of several tasks, by the images that it knows; without groups."""
        known = np.flatnonzero(known_rows(part, self.target))
        rows = self.at(known)
        return replace(
            rows,
            task=part.task,
            metric=metric,
            target=own_target(part, rows.target),
            probs=tuple(member[:, part.block] for member in rows.probs),
            classes=len(part.classes),
            ids=[self.ids[row] for row in known.tolist()] if self.ids else (),
            names=part.classes,
        )

    def part_scores(self, answers: Array) -> dict[str, float]:
        """Of several tasks: the score of each by its metric; answers as `decide` gives them."""
        rows = np.ones((1, len(self.target))) if self.weights is None else self.weights[None]
        pairs = zip(self.task.link.parts, self.metric.parts, strict=True)
        return {
            f"{part.name}: {own.name}": float(
                score_of_part(part, own, self.target, answers, rows)[0]
            )
            for part, own in pairs
        }

    def _issues_of_parts(self) -> list[LabelIssue]:
        """Of several tasks: those of each, with its name, and the row among all."""
        out = list[LabelIssue]()
        for part, metric in zip(self.task.link.parts, self.metric.parts, strict=True):
            rows = np.flatnonzero(known_rows(part, self.target)).tolist()
            for one in self.of_part(part, metric).label_issues():
                label = f"{part.name} {one.label}".strip()
                out.append(replace(one, row=rows[one.row], label=label))
        return sorted(out, key=lambda issue: not issue.sure)

    def label_issues(self) -> list[LabelIssue]:
        """See Evidence."""
        if self.task.link.parts:
            return self._issues_of_parts()
        if self.task.link.tuner == "new":  # nobody doubts a label that no network has learned
            known = np.flatnonzero(self.target != self.classes - 1)
            plain = replace(self, task=replace(self.task, link=SOFTMAX))
            ids = [self.ids[row] for row in known.tolist()]
            return replace(plain.at(known), ids=ids).label_issues()
        probs = np.mean([np.asarray(member, dtype=np.float64) for member in self.probs], axis=0)
        if self.task.link.measures:
            return number_issues(self.ids, self.names, self.target, probs)
        if self.task.ordered:
            return grade_issues(self.ids, self.names, self.target, expected_grade(probs))
        if self.target.ndim == 2:
            return column_issues(self.ids, self.names, self.target, probs)
        return class_issues(self.ids, self.names, self.target, both_columns(probs))

    def to_show(self, issues: Sequence[LabelIssue], count: int) -> Sequence[LabelIssue]:
        """See Evidence."""
        return issues[:count]

    def pictures(self, issue: LabelIssue) -> list[tuple[str, Array | None]]:
        """See Evidence: the image alone."""
        label = f"{issue.label} " if issue.label else ""
        return [(f"{label}{issue.given}? {issue.likely}  {issue.id}", None)]
