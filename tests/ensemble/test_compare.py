"""The table of votes and weights: honest where the tuned score flatters."""

from __future__ import annotations

import numpy as np
import pytest

from comp.core.errors import TuneError
from comp.ensemble.compare import all_pairs, best_row, chosen_row, compare, judge_row
from comp.ensemble.cross_fit import fit_rule
from comp.ensemble.evidence import Fitting
from comp.ensemble.rules.thresholds import shrunk
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import WEIGHERS
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

MULTILABEL = TASKS["multilabel"]
F1 = METRICS["macro_f1"]
FITTED = Fitting(True, 0)


def world(seed: int, rows: int, members: int = 4, classes: int = 6):  # type: ignore[no-untyped-def]
    """Labels with 8 % positives, and members that see them through noise of their own."""
    draw = np.random.default_rng(seed)
    target = (draw.random((rows, classes)) < 0.08).astype(np.int64)
    shared = draw.normal(0, 1, (rows, classes))
    probs = []
    for member in range(members):
        own = draw.normal(0, 1, (rows, classes))
        score = 2.2 * target + 0.7 * shared + (0.5 + 0.3 * member) * own - 2.5
        probs.append((1 / (1 + np.exp(-score))).astype(np.float32))
    return target, tuple(probs)


@pytest.mark.parametrize("weigher", ["equal", "greedy", "optimize"])
def test_the_honest_score_is_near_the_true_one_where_the_tuned_one_is_not(weigher: str) -> None:
    """Simulated truth: over 40 worlds the mean error is at most half of the flattery.

    So few worlds cannot tell a quarter from a third; `benchmarks/ensembler.md` has more of them.
    """
    errors, flattery = [], []
    for seed in range(40):
        target, probs = world(seed, 250)
        evidence = TableEvidence(MULTILABEL, F1, target, np.arange(250) % 5, probs, 6)
        row = judge_row(evidence, VOTES["soft"], weigher, Fitting(True, 0))
        far_target, far_probs = world(1000 + seed, 6000)
        far = TableEvidence(MULTILABEL, F1, far_target, np.zeros(6000, int), far_probs, 6)
        true = far.score(far.decide(VOTES["soft"], row.fit))
        errors.append(row.scores.honest - true)
        flattery.append(row.scores.tuned - true)
    assert np.mean(flattery) > 0.03
    assert abs(np.mean(errors)) <= np.mean(flattery) / 2


def test_one_member_is_one_row_and_several_are_every_pair() -> None:
    votes = tuple(VOTES.values())
    assert all_pairs(votes, 1, ("hard", "equal")) == [("hard", "equal")]
    pairs = all_pairs(votes, 2, ("soft", "my.yaml"))
    weighers = ("equal", "greedy", "optimize", "climb", "my.yaml")
    middles = {name for name, vote in VOTES.items() if vote.middle}
    searched = {name for name, search in WEIGHERS.items() if search}
    every = [(vote, w) for vote in VOTES for w in weighers]
    every = [pair for pair in every if pair != ("hard", "climb")]
    assert pairs == [(v, w) for v, w in every if v not in middles or w not in searched]


def test_a_metric_of_probabilities_takes_votes_that_give_them() -> None:
    target, probs = world(0, 20)
    evidence = TableEvidence(MULTILABEL, METRICS["log_loss"], target, np.arange(20) % 2, probs, 6)
    names = ["soft", "geometric", "logit", "power2", "power4", "rank", "median", "trimmed"]
    assert [vote.name for vote in evidence.votes()] == names


def test_with_one_fold_left_nothing_is_fitted_and_equal_weights_stand_in() -> None:
    target, probs = world(4, 60, members=2)
    evidence = TableEvidence(MULTILABEL, F1, target, np.zeros(60, int), probs, 6)
    rows = compare(evidence, ("soft", "greedy"), Fitting(True, 0), partial=True)
    assert {row.weigher for row in rows} == {"equal"}
    row = chosen_row(rows, ("soft", "greedy"))
    assert (row.vote.name, row.weigher, row.fit.weights.tolist()) == ("soft", "equal", [0.5, 0.5])
    assert row.scores.raw == row.scores.tuned == row.scores.honest


def test_members_in_another_order_score_the_same() -> None:
    target, probs = world(1, 120, members=2)
    fold = np.arange(120) % 3
    tables = [
        [
            judge_row(TableEvidence(MULTILABEL, F1, target, fold, given, 6), vote, "equal", FITTED)
            for vote in VOTES.values()
        ]
        for given in (probs, probs[::-1])
    ]
    one, two = ([row.scores.honest for row in table] for table in tables)
    assert one == pytest.approx(two, abs=1e-6)
    assert best_row(F1, tables[0]).scores.honest == max(one)


def test_given_weights_are_not_fitted() -> None:
    target, probs = world(2, 120, members=2)
    evidence = TableEvidence(MULTILABEL, F1, target, np.arange(120) % 3, probs, 6)
    given = np.array([1.0, 3.0])
    row = judge_row(evidence, VOTES["soft"], "w.yaml", Fitting(False, 0, given))
    assert row.fit.weights.tolist() == [0.25, 0.75]
    assert row.scores.raw == row.scores.tuned == row.scores.honest


def test_weights_cannot_be_cross_fitted_on_one_fold() -> None:
    target, probs = world(3, 60)
    evidence = TableEvidence(MULTILABEL, F1, target, np.zeros(60, int), probs, 6)
    with pytest.raises(TuneError, match="1 folds to cross-fit"):
        judge_row(evidence, VOTES["soft"], "greedy", Fitting(False, 0))


def test_thresholds_of_few_positives_are_drawn_to_one_half() -> None:
    rule, half = np.array([0.1, 0.9]), np.full(2, 0.5)
    found = shrunk(rule, half, np.array([10.0, 1000.0]), 10.0)
    assert found.tolist() == pytest.approx([0.3, 0.5 + 0.4 * 1000 / 1010])


def test_a_threshold_is_drawn_only_where_other_folds_say_so() -> None:
    """The same column twice: noise asks for shrinkage, a clean shift does not."""
    draw = np.random.default_rng(0)
    strengths = []
    for noise in (0.0, 1.0):
        drawn = []
        for _ in range(6):
            target = (draw.random((200, 3)) < 0.1).astype(np.int64)
            clean = np.where(target == 1, 0.3, 0.1)
            blurred = np.clip(0.5 + draw.normal(0, 0.2, target.shape), 0, 1)
            probs = np.where(noise > 0, blurred, clean)
            drawn.append(fit_rule(MULTILABEL, F1, target, probs, np.arange(200) % 4)[1])
        strengths.append(sum(value > 0 for value in drawn))
    assert strengths[0] == 0
    assert strengths[1] > 0
