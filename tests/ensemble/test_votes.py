"""Votes: the mean decides, or the majority does and the mean parts a tie."""

from __future__ import annotations

import numpy as np
import pytest

from comp.core.errors import ConfigError, PredictionsError
from comp.ensemble.votes import VOTES, check_vote
from comp.tasks.grades import expected_grade, neighbours
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))
TABLE_TASKS = [task for task in TASKS.values() if not task.spatial]
EVEN3 = np.ones(3)


def test_soft_is_the_rule_on_the_weighted_mean() -> None:
    members = [np.array([[0.2], [0.9]]), np.array([[0.6], [0.4]])]
    result = VOTES["soft"].merge(members, np.array([1.0, 3.0]), BINARY, np.array([0.52]))
    assert result.probs is not None
    assert result.probs.ravel().tolist() == pytest.approx([0.5, 0.525])
    assert result.labels.tolist() == [0, 1]


def test_hard_is_the_majority_of_decisions_whatever_the_mean_says() -> None:
    members = [np.array([[0.51]]), np.array([[0.51]]), np.array([[0.01]])]
    result = VOTES["hard"].merge(members, EVEN3, BINARY, np.array([0.5]))
    assert (result.labels.tolist(), result.probs) == ([1], None)
    assert VOTES["soft"].merge(members, EVEN3, BINARY, np.array([0.5])).labels.tolist() == [0]


def test_hard_weighs_the_votes() -> None:
    members = [np.array([[0.9]]), np.array([[0.9]]), np.array([[0.4]])]
    labels = VOTES["hard"].merge(members, np.array([1, 1, 3]), BINARY, np.array([0.5])).labels
    assert labels.tolist() == [0]


def test_a_tied_column_goes_by_the_mean_against_its_threshold() -> None:
    members = [np.array([[0.9, 0.6, 0.9]]), np.array([[0.3, 0.1, 0.3]])]
    rule = np.array([0.5, 0.5, 0.7])
    result = VOTES["hard"].merge(members, np.ones(2), MULTILABEL, rule)
    assert result.labels.tolist() == [[1, 0, 0]]


def test_the_class_with_most_votes_wins() -> None:
    members = [
        np.array([[0.4, 0.35, 0.25]]),
        np.array([[0.4, 0.35, 0.25]]),
        np.array([[0.0, 1.0, 0.0]]),
    ]
    result = VOTES["hard"].merge(members, EVEN3, MULTICLASS, np.zeros(3))
    assert result.labels.tolist() == [0]


def test_of_tied_classes_the_largest_mean_plus_offset_wins_and_only_of_them() -> None:
    members = [np.array([[0.52, 0.0, 0.48]]), np.array([[0.0, 0.6, 0.4]])]  # the mean says class 2
    vote = VOTES["hard"]
    assert vote.merge(members, np.ones(2), MULTICLASS, np.zeros(3)).labels.tolist() == [1]
    offsets = np.array([0.05, 0.0, 0.0])
    assert vote.merge(members, np.ones(2), MULTICLASS, offsets).labels.tolist() == [0]


@pytest.mark.parametrize("vote", [v for v in VOTES.values() if not v.ranks], ids=lambda v: v.name)
@pytest.mark.parametrize("task", TABLE_TASKS, ids=lambda task: task.name)
def test_one_member_alone_decides_as_the_rule_does(task, vote) -> None:  # type: ignore[no-untyped-def]
    if task.link.measures and not vote.measures:
        return
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 20)[:, : task.columns(3)]
    rule = task.link.neutral(probs.shape[1]) - 0.1
    labels = vote.merge([probs], np.ones(1), task, rule).labels
    assert labels.tolist() == task.decide(probs, rule).tolist()
    assert labels.ndim == task.target_ndim


def test_members_and_weights_that_cannot_vote_are_refused() -> None:
    probs, rule = np.full((2, 1), 0.5), np.array([0.5])
    with pytest.raises(PredictionsError, match="no members"):
        VOTES["soft"].merge([], np.ones(0), BINARY, rule)
    with pytest.raises(PredictionsError, match=r"different shapes: \[\(1, 1\), \(2, 1\)\]"):
        VOTES["soft"].merge([probs, probs[:1]], np.ones(2), BINARY, rule)
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(ConfigError, match=r"ensemble.weights: .* for 2 members"):
            VOTES["soft"].merge([probs, probs], np.array(weights), BINARY, rule)


def test_a_hard_vote_cannot_serve_a_metric_of_probabilities() -> None:
    check_vote(VOTES["hard"], METRICS["macro_f1"])
    check_vote(VOTES["soft"], METRICS["log_loss"])
    with pytest.raises(ConfigError, match=r"'hard' gives decisions.*'log_loss'.*--vote soft"):
        check_vote(VOTES["hard"], METRICS["log_loss"])


def test_geometric_and_logit_means_are_taken_on_their_own_scales() -> None:
    members = [np.array([[0.8]]), np.array([[0.2]])]
    weights, rule = np.array([3.0, 1.0]), np.array([0.5])
    geometric = VOTES["geometric"].merge(members, weights, BINARY, rule)
    assert geometric.probs is not None
    assert geometric.probs.ravel().tolist() == pytest.approx([0.8**0.75 * 0.2**0.25])
    logit = VOTES["logit"].merge(members, weights, BINARY, rule)
    assert logit.probs is not None
    odds = (0.8 / 0.2) ** 0.75 * (0.2 / 0.8) ** 0.25
    assert logit.probs.ravel().tolist() == pytest.approx([odds / (1 + odds)])


@pytest.mark.parametrize("name", ["soft", "geometric", "logit", "rank"])
def test_merged_rows_of_a_softmax_sum_to_one(name: str) -> None:
    members = np.random.default_rng(0).dirichlet(np.ones(3), (2, 9))
    probs = VOTES[name].merge(members, np.ones(2), MULTICLASS, np.zeros(3)).probs
    assert probs is not None
    assert probs.sum(axis=1).tolist() == pytest.approx([1] * 9)


def test_ranks_are_taken_within_a_part_and_ties_share_them() -> None:
    member = np.array([[0.1], [0.3], [0.3], [0.9], [0.7], [0.8]])
    parts = np.array([0, 0, 0, 0, 1, 1])
    probs = VOTES["rank"].merge([member], np.ones(1), BINARY, np.array([0.5]), parts=parts).probs
    assert probs is not None
    assert probs.ravel().tolist() == pytest.approx([0.125, 0.5, 0.5, 0.875, 0.25, 0.75])
    whole = VOTES["rank"].merge([member], np.ones(1), BINARY, np.array([0.5])).probs
    assert whole is not None
    assert whole.ravel().tolist() == pytest.approx(np.array([0.5, 2, 2, 5.5, 3.5, 4.5]) / 6)


def test_each_member_of_a_hard_vote_may_have_a_rule_of_its_own() -> None:
    members = [np.array([[0.3]]), np.array([[0.3]]), np.array([[0.9]])]
    rules = np.array([[0.2], [0.4], [0.95]])
    assert VOTES["hard"].merge(members, EVEN3, BINARY, rules).labels.tolist() == [0]
    rules[1] = 0.25
    assert VOTES["hard"].merge(members, EVEN3, BINARY, rules).labels.tolist() == [1]


@pytest.mark.parametrize("name", VOTES)
def test_the_size_of_a_chunk_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    members = np.random.default_rng(1).dirichlet(np.ones(3), (3, 11)).astype(np.float32)
    rule = np.array([0.1, 0.0, -0.1])
    whole = VOTES[name].merge(members, EVEN3, MULTICLASS, rule)
    monkeypatch.setattr("comp.ensemble.votes._CELLS", 6)
    monkeypatch.setattr("comp.ensemble.votes._COLUMNS", 2)
    pieces = VOTES[name].merge(members, EVEN3, MULTICLASS, rule)
    assert pieces.labels.tolist() == whole.labels.tolist()
    assert (pieces.probs is None) == (whole.probs is None)
    if whole.probs is not None and pieces.probs is not None:
        assert pieces.probs.tolist() == whole.probs.tolist()


def test_no_rows_give_an_empty_answer() -> None:
    result = VOTES["soft"].merge([np.empty((0, 3))], np.ones(1), MULTICLASS, np.zeros(3))
    assert result.labels.shape == (0,)


def test_median_and_trimmed_mean_do_not_follow_one_member_that_is_far_off() -> None:
    members = [np.array([[value]]) for value in (1.0, 2.0, 3.0, 4.0, 1000.0)]
    rule, even = np.zeros(1), np.ones(5)
    task = TASKS["regression"]
    assert VOTES["median"].merge(members, even, task, rule).labels.tolist() == [[3.0]]
    assert VOTES["trimmed"].merge(members, even, task, rule).labels.tolist() == [[3.0]]
    heavy = np.array([6.0, 1, 1, 1, 1])  # more than half of the weight says 1
    assert VOTES["median"].merge(members, heavy, task, rule).labels.tolist() == [[1.0]]
    four = VOTES["median"].merge(members[:4], np.ones(4), task, rule)
    assert four.labels.tolist() == [[2.5]]


def test_a_vote_of_probabilities_is_refused_for_numbers() -> None:
    check_vote(VOTES["median"], METRICS["rmse"])
    with pytest.raises(ConfigError, match=r"'logit' is for probabilities.*soft, median, trimmed"):
        check_vote(VOTES["logit"], METRICS["rmse"])


def test_a_power_mean_lies_between_the_mean_and_the_surest_member() -> None:
    members = [np.array([[0.9]]), np.array([[0.1]])]
    found = [
        VOTES[name].merge(members, np.array([0.5, 0.5]), BINARY, np.array([0.5])).probs
        for name in ("soft", "power2", "power4")
    ]
    assert [float(p[0, 0]) for p in found if p is not None] == pytest.approx(
        [0.5, (0.82 / 2) ** 0.5, ((0.9**4 + 0.1**4) / 2) ** 0.25]
    )


def test_hard_votes_have_no_negative_ballots() -> None:
    members = [np.array([[0.9]]), np.array([[0.1]])]
    with pytest.raises(ConfigError, match="one number >= 0 each"):
        VOTES["hard"].merge(members, np.array([1.5, -0.5]), BINARY, np.array([0.5]))
    merged = VOTES["soft"].merge(members, np.array([1.5, -0.5]), BINARY, np.array([0.5]))
    assert merged.probs is not None
    assert float(merged.probs[0, 0]) == 1.0  # 1.3, clipped


def test_the_median_of_grades_is_that_of_the_expected_ones() -> None:
    numbers = np.array([[0.2, 2.0], [1.4, 0.5], [2.0, 1.0]])  # of three members, two images
    members = [neighbours(row, 3) for row in numbers]
    found = VOTES["median"].merge(members, np.ones(3), TASKS["ordinal"], np.arange(3) - 0.5)
    assert found.probs is not None
    assert expected_grade(found.probs) == pytest.approx([1.4, 1.0])
    assert found.labels.tolist() == [1, 1]
