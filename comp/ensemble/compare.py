"""Votes and weights side by side, fitted on the out-of-fold predictions and scored honestly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from comp.core.errors import ConfigError
from comp.ensemble.evidence import CrossFit, Evidence, Fit, Fitting
from comp.ensemble.votes import VOTES, Vote
from comp.ensemble.weights import SIGNED, WEIGHERS
from comp.tasks.metrics import Metric


@dataclass(frozen=True)
class Scores:
    """The out-of-fold scores of the rule in use; all the same where nothing is fitted.

    `raw`        with the neutral rule
    `tuned`      with the rule, on the rows that it and the weights were fitted on: flattering
    `honest`     cross-fitted: weights and rule from the other folds, measured on this one; without
                 what the rules of several folds score more than one, see CrossFit
    `low, high`  95 % bootstrap interval of `honest`
    """

    raw: float
    tuned: float
    honest: float
    low: float
    high: float


@dataclass(frozen=True)
class BlendRow:
    """One vote with one kind of weights: what was fitted, what it scores, what to know of it.

    `found`  all answers, kept for the row of the config only
    """

    vote: Vote
    weigher: str
    fit: Fit
    scores: Scores
    note: str = ""
    found: CrossFit | None = None


def judge_row(
    evidence: Evidence, vote: Vote, weigher: str, fitting: Fitting, *, keep: bool = False
) -> BlendRow:
    """Fit on all rows, cross-fit for the honest score, and drop a rule that does not hold.

    keep: whether the row keeps all answers, which are as large as the targets.

    Raises TuneError where something is to be fitted and there is only one fold.
    """
    found = evidence.cross_fit(vote, weigher, fitting)
    raw, tuned, honest = map(evidence.score, (found.raw, found.tuned, found.honest))
    low, high = evidence.interval(found.honest, fitting.seed)
    scores = Scores(raw, tuned, *(value - found.mixed for value in (honest, low, high)))
    return BlendRow(vote, weigher, found.fit, scores, found.note, found if keep else None)


def compare(
    evidence: Evidence, chosen: tuple[str, str], fitting: Fitting, *, partial: bool
) -> list[BlendRow]:
    """A row for each vote with each kind of weights that makes a difference.

    chosen: the vote and the weights of the config; their row is among them. fitting: its `given`
    are the weights of a name that is no search. partial: whether folds may be missing; with a
    single one left nothing is fitted.
    """
    pairs = all_pairs(evidence.votes(), evidence.members, chosen)
    if partial and len(np.unique(evidence.fold)) < 2:
        fitting = Fitting(False, fitting.seed, fitting.given)
        pairs = list(dict.fromkeys((v, "equal" if WEIGHERS.get(w) else w) for v, w in pairs))
    return [
        judge_row(
            evidence,
            VOTES[vote],
            weigher,
            Fitting(fitting.tune, fitting.seed, None if weigher in WEIGHERS else fitting.given),
            keep=vote == chosen[0],
        )
        for vote, weigher in pairs
    ]


def all_pairs(
    votes: Sequence[Vote], members: int, chosen: tuple[str, str]
) -> list[tuple[str, str]]:
    """The names of each vote with each kind of weights; the pair of the config among them.

    With a single member there is one pair: weights and votes make no difference.
    """
    if members == 1:
        return [chosen]
    weighers = list(WEIGHERS) + ([chosen[1]] if chosen[1] not in WEIGHERS else [])
    pairs = [(v, w) for v in votes for w in weighers if v.signed or w not in SIGNED]
    return [(vote.name, w) for vote, w in pairs if not (vote.middle and WEIGHERS.get(w))]


def chosen_row(rows: Sequence[BlendRow], chosen: tuple[str, str]) -> BlendRow:
    """The row of the vote and weights of the config; of its vote with equal weights where
    these weights could not be fitted."""
    found = {(row.vote.name, row.weigher): row for row in rows}
    return found.get(chosen) or found[chosen[0], "equal"]


def best_row(metric: Metric, rows: Sequence[BlendRow]) -> BlendRow:
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
