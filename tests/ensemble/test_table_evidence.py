"""Evidence over a table: each fold is decided by what was fitted on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comp.core.errors import TuneError
from comp.ensemble.cross_fit import fit_rule
from comp.ensemble.evidence import Fitting
from comp.ensemble.rules.thresholds import tune
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTILABEL = TASKS["binary"], TASKS["multilabel"]
F1, SOFT = METRICS["macro_f1"], VOTES["soft"]
FITTED = Fitting(tune=True, seed=0)


def noise(rows: int = 40, classes: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multilabel targets that have nothing to do with their probabilities."""
    draw = np.random.default_rng(5)
    target = (draw.random((rows, classes)) < 0.3).astype(np.int64)
    return target, draw.random((rows, classes)), np.arange(rows) % 4


def evidence(task: Any, metric: Any, target: Any, probs: Any, fold: Any) -> TableEvidence:
    return TableEvidence(task, metric, target, fold, (probs,), max(2, probs.shape[1]))


def decided_by_other_folds(task: Any, target: Any, probs: Any, fold: Any) -> np.ndarray:
    """The same in the plainest way."""
    labels = np.empty(target.shape, dtype=np.int64)
    for number in np.unique(fold):
        here = fold == number
        rule, _ = fit_rule(task, F1, target[~here], probs[~here], fold[~here])
        labels[here] = task.decide(probs[here], rule)
    return labels


def test_each_fold_is_decided_by_a_rule_tuned_on_the_others() -> None:
    probs = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8])[:, None]
    target, fold = np.array([0, 0, 1, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
    rules = [tune(BINARY, F1, target[fold != k], probs[fold != k]) for k in (0, 1)]
    assert [rule.tolist() for rule in rules] == [[0.75], [0.25]]
    assert decided_by_other_folds(BINARY, target, probs, fold).tolist() == [0, 0, 0, 1, 1, 1]
    _, tuned = evidence(BINARY, F1, target, probs, fold)._of_other_folds(SOFT, "equal", FITTED)
    assert tuned.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_honest_answers_are_those_of_the_plain_method_or_untuned() -> None:
    target, probs, fold = noise()
    found = evidence(MULTILABEL, F1, target, probs, fold).cross_fit(SOFT, "equal", FITTED)
    other = decided_by_other_folds(MULTILABEL, target, probs, fold)
    untuned = (probs >= 0.5).astype(np.int64)
    scores = [F1.score(target, labels, 6) for labels in (untuned, other)]
    assert scores[0] != scores[1]
    expected = untuned if scores[0] > scores[1] else other
    assert found.honest.tolist() == expected.tolist()


def test_on_noise_the_honest_score_is_below_the_tuned_one() -> None:
    target, probs, fold = noise()
    tuned = F1.score(target, MULTILABEL.decide(probs, tune(MULTILABEL, F1, target, probs)), 6)
    honest = F1.score(target, decided_by_other_folds(MULTILABEL, target, probs, fold), 6)
    assert honest < tuned - 0.02


@pytest.mark.slow
def test_on_noise_the_honest_score_is_that_of_the_rule_on_new_images() -> None:
    """Whether a rule is kept must not be decided by the number that is reported: over these worlds
    the better of tuned and untuned would be 0.02 too high."""
    task, errors, flattered = TASKS["multiclass"], [], []

    def world(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng(seed)
        noise = np.exp(draw.normal(0, 1, (rows, 4)))
        target = draw.choice(4, rows, p=[0.5, 0.25, 0.15, 0.1])
        return target, (noise / noise.sum(axis=1, keepdims=True)).astype(np.float32)

    for seed in range(50):
        target, probs = world(seed, 60)
        one = TableEvidence(task, F1, target, np.arange(60) % 5, (probs,), 4)
        found = one.cross_fit(SOFT, "equal", FITTED)
        far_target, far_probs = world(10_000 + seed, 2000)
        true = F1.score(far_target, task.decide(far_probs, found.fit.rule), 4)
        plain, tuned = one._of_other_folds(SOFT, "equal", FITTED)
        errors.append(one.score(found.honest) - true)
        flattered.append(max(one.score(plain), one.score(tuned)) - true)
    assert np.mean(flattered) > 0.012
    assert abs(np.mean(errors)) < np.mean(flattered) / 2


def test_a_metric_of_probabilities_is_honest_as_it_is() -> None:
    target, probs, fold = noise()
    metric = METRICS["log_loss"]
    one = evidence(MULTILABEL, metric, target, probs, fold)
    found = one.cross_fit(SOFT, "equal", FITTED)
    assert one.score(found.honest) == pytest.approx(metric.score(target, probs, 6), abs=1e-6)
    assert found.fit.rule.tolist() == [0.5] * 6


def test_one_fold_cannot_be_cross_fitted() -> None:
    target, probs, fold = noise()
    one = evidence(MULTILABEL, F1, target, probs, fold * 0)
    with pytest.raises(TuneError, match=r"^1 folds to cross-fit .* at least 2"):
        one.cross_fit(SOFT, "equal", FITTED)


def test_label_issues_of_columns_name_the_column() -> None:
    target = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    probs = np.array([[0.9, 0.1], [0.1, 0.1], [0.1, 0.9], [0.2, 0.8]])
    one = TableEvidence(
        MULTILABEL, F1, target, np.arange(4) % 2, (probs,), 2, ids=tuple("abcd"), names=("x", "y")
    )
    (issue,) = one.label_issues()
    assert (issue.id, issue.label, issue.given, issue.likely) == ("b", "x", "1", "0")
    assert issue.margin == pytest.approx(0.1 - 0.9)
    assert one.to_show([issue] * 3, 2) == [issue] * 2
    assert one.pictures(issue) == [("x 1? 0  b", None)]
