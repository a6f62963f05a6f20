"""Votes and weights side by side, fitted on the out-of-fold predictions and scored honestly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import ConfigError
from comp.ensemble.blend_scores import make_judge
from comp.ensemble.cross_fit import bootstrap, check_folds, fit_rule, score_of
from comp.ensemble.rules.thresholds import tune
from comp.ensemble.votes import VOTES, Vote
from comp.ensemble.weights import WEIGHERS
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scores:
    """The out-of-fold scores of the rule in use; all the same where nothing is fitted.

    `raw`        with the neutral rule
    `tuned`      with the rule, on the rows that it and the weights were fitted on: flattering
    `honest`     cross-fitted: weights and rule from the other folds, measured on this one
    `low, high`  95 % bootstrap interval of `honest`
    """

    raw: float
    tuned: float
    honest: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """What weights and rules are fitted and judged on.

    `target`         (N,) or (N, C)
    `fold`           (N,)
    `probs`          the members' out-of-fold probabilities, each (N, C)
    `classes`        how many classes there are (binary: 2)
    `class_weights`  (classes,) how much a row of each class counts, or None
    """

    task: Task
    metric: Metric
    target: Array
    fold: Array
    probs: tuple[Array, ...]
    classes: int
    class_weights: Array | None = None

    def at(self, rows: Array) -> Evidence:
        """The same of some rows."""
        return Evidence(
            self.task,
            self.metric,
            self.target[rows],
            self.fold[rows],
            tuple(member[rows] for member in self.probs),
            self.classes,
            self.class_weights,
        )

    def score(self, answer: Array) -> float:
        """The score of labels or probabilities, as the metric wants."""
        return score_of(self.metric, self.target, answer, self.classes, self.class_weights)

    def neutral(self) -> Array:
        """The rule that changes nothing."""
        return self.task.link.neutral(self.probs[0].shape[1])


@dataclass(frozen=True)
class Fit:
    """Weights (M,), a rule (C,) or for a hard vote (M, C), and how strongly it was shrunk."""

    weights: Array
    rule: Array
    shrunk: float = 0.0


@dataclass(frozen=True)
class Row:
    """One vote with one kind of weights: what was fitted, what it scores, what to know of it."""

    vote: Vote
    weigher: str
    fit: Fit
    scores: Scores
    note: str = ""


def fit(
    evidence: Evidence, vote: Vote, weigher: str, tune_rule: bool, seed: int, given: Array | None
) -> Fit:
    """Weights and rule from these rows alone. given: (M,) weights that are not fitted, or None."""
    members = len(evidence.probs)
    weights = np.full(members, 1 / members) if given is None else given / given.sum()
    search = WEIGHERS.get(weigher)
    if given is None and search is not None and members > 1:
        judge = make_judge(
            evidence.task,
            evidence.metric,
            vote,
            evidence.target,
            evidence.probs,
            _first_rule(evidence, vote, weights, tune_rule),
            parts=evidence.fold,
            class_weights=evidence.class_weights,
        )
        weights = search(judge, seed)
    if not tune_rule or evidence.metric.wants == "probs":
        return Fit(weights, evidence.neutral())
    return _with_rule(evidence, vote, weights)


def _first_rule(evidence: Evidence, vote: Vote, weights: Array, tune_rule: bool) -> Array:
    """The rule under which weights are searched: that of equal weights."""
    if not tune_rule or evidence.metric.wants == "probs":
        return evidence.neutral()
    if not vote.gives_probs:
        return np.stack([_tuned(evidence, member) for member in evidence.probs])
    if evidence.task.link.normalized:
        return evidence.neutral()
    return _tuned(evidence, _merged(evidence, vote, weights))


def _tuned(evidence: Evidence, probs: Array) -> Array:
    metric, weights = evidence.metric, evidence.class_weights
    return tune(evidence.task, metric, evidence.target, probs, weights)


def _merged(evidence: Evidence, vote: Vote, weights: Array) -> Array:
    result = vote.merge(
        evidence.probs, weights, evidence.task, evidence.neutral(), parts=evidence.fold
    )
    assert result.probs is not None
    return result.probs


def _with_rule(evidence: Evidence, vote: Vote, weights: Array) -> Fit:
    """One rule for the merged probabilities, or where members vote, one a member."""
    merged = [_merged(evidence, vote, weights)] if vote.gives_probs else list(evidence.probs)
    found = [
        fit_rule(
            evidence.task,
            evidence.metric,
            evidence.target,
            probs,
            evidence.fold,
            evidence.class_weights,
        )
        for probs in merged
    ]
    rules = np.stack([rule for rule, _ in found])
    return Fit(weights, rules[0] if len(rules) == 1 else rules, max(s for _, s in found))


def answer_of(evidence: Evidence, vote: Vote, weights: Array, rule: Array) -> Array:
    """Labels, or probabilities where the metric wants them, of these rows."""
    wanted = evidence.metric.wants == "probs"
    result = vote.merge(
        evidence.probs, weights, evidence.task, rule, parts=evidence.fold, keep_probs=wanted
    )
    if not wanted:
        return result.labels
    assert result.probs is not None, "check_vote refuses votes without probabilities"
    return result.probs


def judge_row(
    evidence: Evidence,
    vote: Vote,
    weigher: str,
    *,
    tune_rule: bool,
    seed: int,
    groups: Sequence[str] | None,
    given: Array | None = None,
) -> Row:
    """Fit on all rows, cross-fit for the honest score, and drop a rule that does not hold.

    The rule is kept unless its cross-fitted score is below that of the neutral rule. Raises
    TuneError where something is to be fitted and there is only one fold.
    """
    metric, neutral = evidence.metric, evidence.neutral()
    tunable = tune_rule and metric.wants == "labels"
    whole = fit(evidence, vote, weigher, tunable, seed, given)
    plain = answer_of(evidence, vote, whole.weights, neutral)
    raw = evidence.score(plain)
    fitted = weigher in WEIGHERS and WEIGHERS[weigher] is not None and len(evidence.probs) > 1
    honest, tuned = plain, plain
    if tunable or fitted:
        honest, tuned = _cross_fit(evidence, vote, weigher, tunable, seed, given)
    loss = tunable and metric.better(evidence.score(honest), evidence.score(tuned))
    used = Fit(whole.weights, neutral) if loss or not tunable else whole
    final = honest if loss or not tunable else tuned
    low, high = bootstrap(
        metric,
        evidence.target,
        final,
        evidence.classes,
        groups,
        seed,
        class_weights=evidence.class_weights,
    )
    flattering = evidence.score(answer_of(evidence, vote, used.weights, used.rule))
    scores = Scores(raw, flattering, evidence.score(final), low, high)
    note = _dropped(evidence, tuned, honest) if loss else ""
    return Row(vote, weigher, used, scores, note)


def _dropped(evidence: Evidence, tuned: Array, plain: Array) -> str:
    return (
        f"{evidence.task.link.tuner} not used: tuned on the other folds they score "
        f"{evidence.score(tuned):.4f}, untuned {evidence.score(plain):.4f}"
    )


def _cross_fit(
    evidence: Evidence, vote: Vote, weigher: str, tunable: bool, seed: int, given: Array | None
) -> tuple[Array, Array]:
    """The answers with the neutral rule and with the tuned one, all fitted on the other folds."""
    plain: list[Array] = []
    tuned: list[Array] = []
    places = []
    for number in check_folds(evidence.fold):
        here = evidence.fold == number
        places.append(np.flatnonzero(here))
        found = fit(evidence.at(~here), vote, weigher, tunable, seed, given)
        own = evidence.at(here)
        plain.append(answer_of(own, vote, found.weights, evidence.neutral()))
        tuned.append(answer_of(own, vote, found.weights, found.rule))
    back = np.argsort(np.concatenate(places))
    return np.concatenate(plain)[back], np.concatenate(tuned)[back]


def compare(
    evidence: Evidence,
    pairs: Sequence[tuple[Vote, str]],
    *,
    tune_rule: bool,
    seed: int,
    groups: Sequence[str] | None,
    given: Array | None = None,
) -> list[Row]:
    """A row for each (vote, weights); `given` are the weights of a name that is no search."""
    return [
        judge_row(
            evidence,
            vote,
            weigher,
            tune_rule=tune_rule,
            seed=seed,
            groups=groups,
            given=None if weigher in WEIGHERS else given,
        )
        for vote, weigher in pairs
    ]


def all_pairs(metric: Metric, members: int, asked: tuple[str, str]) -> list[tuple[Vote, str]]:
    """Every vote with every kind of weights that can be told apart; the one asked for among them.

    With a single member there is one row: weights mean nothing, and so do means.
    """
    if members == 1:
        return [(VOTES[asked[0]], asked[1])]
    votes = [vote for vote in VOTES.values() if vote.gives_probs or metric.wants == "labels"]
    names = list(WEIGHERS) + ([asked[1]] if asked[1] not in WEIGHERS else [])
    return [(vote, name) for vote in votes for name in names]


def best_row(metric: Metric, rows: Sequence[Row]) -> Row:
    """The row with the best honest score; of equals the first. ConfigError without rows."""
    if not rows:
        raise ConfigError("no vote can serve this metric")
    best = rows[0]
    for row in rows[1:]:
        best = row if metric.better(row.scores.honest, best.scores.honest) else best
    return best


def without_nan(scores: Scores) -> dict[str, float | None]:
    """The scores as plain values; an undefined one is None."""
    return {name: None if math.isnan(v) else v for name, v in vars(scores).items()}
