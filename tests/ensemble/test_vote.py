"""Votes: the mean decides, or the majority does and the mean parts a tie."""

from __future__ import annotations

import numpy as np
import pytest

from comp.ensemble.vote import VOTES, check_vote
from comp.errors import ConfigError, PredictionsError
from comp.metrics import METRICS
from comp.tasks import TASKS

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))
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
    assert result.share is not None
    assert result.share.ravel().tolist() == pytest.approx([2 / 3])
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
    assert result.share is not None
    assert result.share.tolist() == [pytest.approx([2 / 3, 1 / 3, 0])]


def test_of_tied_classes_the_largest_mean_plus_offset_wins_and_only_of_them() -> None:
    members = [np.array([[0.52, 0.0, 0.48]]), np.array([[0.0, 0.6, 0.4]])]  # the mean says class 2
    vote = VOTES["hard"]
    assert vote.merge(members, np.ones(2), MULTICLASS, np.zeros(3)).labels.tolist() == [1]
    offsets = np.array([0.05, 0.0, 0.0])
    assert vote.merge(members, np.ones(2), MULTICLASS, offsets).labels.tolist() == [0]


@pytest.mark.parametrize("vote", [v for v in VOTES.values() if not v.ranks], ids=lambda v: v.name)
@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_one_member_alone_decides_as_the_rule_does(task, vote) -> None:  # type: ignore[no-untyped-def]
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
