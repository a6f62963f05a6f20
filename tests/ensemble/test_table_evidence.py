"""Evidence over a table: each fold is decided by what was fitted on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comp.core.errors import TuneError
from comp.ensemble.compare import judge_row
from comp.ensemble.cross_fit import fit_rule, gain_of_mixing
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
    one = evidence(BINARY, F1, target, probs, fold)
    tuned = one._each_fold(SOFT, one._without_each_fold(SOFT, "equal", FITTED))
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


@pytest.mark.parametrize(
    ("kind", "classes", "members", "vote", "weigher"),
    [
        ("binary", 2, 1, "soft", "equal"),
        ("binary", 2, 3, "soft", "greedy"),
        ("multiclass", 3, 1, "soft", "equal"),
        ("multilabel", 3, 2, "hard", "equal"),
    ],
)
def test_nothing_of_a_fold_decides_how_it_is_decided(
    kind: str, classes: int, members: int, vote: str, weigher: str
) -> None:
    """Neither its rule and its weights nor whether the rule is kept: so whatever is chosen, the
    score of a fold is that of rules to which its images are new."""
    task, moved = TASKS[kind], 0
    for seed in range(6 if kind == "binary" else 2):
        target, probs = drawn(kind, classes, members, seed, 32)
        other = target.copy()
        other[::4] = (target[::4] + 1) % (classes if target.ndim == 1 else 2)
        found = [
            TableEvidence(task, F1, truth, np.arange(32) % 4, probs, classes)
            .cross_fit(VOTES[vote], weigher, FITTED)
            .honest
            for truth in (target, other)
        ]
        assert found[0][::4].tolist() == found[1][::4].tolist()
        moved += (found[0] != found[1]).any()
    assert moved, "the labels of a fold decide what the others get"


def drawn(
    kind: str, classes: int, members: int, seed: int, rows: int
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Labels, and members that know nothing of them."""
    draw = np.random.default_rng(seed)
    wide = (rows, classes if kind != "binary" else 1)
    target = (
        draw.integers(2, size=wide) if kind == "multilabel" else draw.integers(classes, size=rows)
    )
    probs = [draw.random(wide, dtype=np.float32) for _ in range(members)]
    if kind == "multiclass":
        probs = [member / member.sum(axis=1, keepdims=True) for member in probs]
    return target, tuple(probs)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_what_is_sent_has_the_rule_in_every_fold_or_in_none(kind: str) -> None:
    """The honest answers may use it in some folds, where it is chosen by the others."""
    task, apart = TASKS[kind], 0
    classes = 2 if kind == "binary" else 3
    for seed in range(8):
        target, probs = drawn(kind, classes, 1, seed, 24)
        one = TableEvidence(task, F1, target, np.arange(24) % 4, probs, classes)
        found = one.cross_fit(SOFT, "equal", FITTED)
        fits = one._without_each_fold(SOFT, "equal", FITTED)
        tuned = one._each_fold(SOFT, fits)
        expected = task.decide(probs[0]) if found.note else tuned
        assert found.sent.tolist() == expected.tolist()
        assert (found.fit.rule == one.neutral()).all() == bool(found.note)
        apart += bool(found.note) and (found.honest != found.sent).any()
    assert apart, "no case in which they differ"


@pytest.mark.slow
def test_on_noise_the_reported_score_is_that_of_the_rule_on_new_images() -> None:
    """Binary, macro F1, 60 rows in folds with equal shares: the score of new images follows from
    the rule alone. What the untuned answers have by chance is taken off. The better of tuned and
    untuned would flatter."""
    errors, flattered, chance = [], [], []
    for seed in range(100):
        target, probs = drawn("binary", 2, 1, seed, 60)
        fold = np.empty(60, dtype=np.int64)
        fold[np.argsort(target, kind="stable")] = np.arange(60) % 5
        one = TableEvidence(BINARY, F1, target, fold, probs, 2)
        row = judge_row(one, SOFT, "equal", FITTED)
        fits = one._without_each_fold(SOFT, "equal", FITTED)
        tuned = one.score(one._each_fold(SOFT, fits))
        true = on_new_images(float(row.fit.rule[0]))
        errors.append(row.scores.honest - true)
        flattered.append(max(row.scores.raw, tuned) - true)
        plain = (probs[0][:, 0] >= 0.5).astype(np.int64)
        chance.append(one.score(plain) - on_new_images(0.5))
    slope = np.cov(errors, chance)[0, 1] / np.var(chance)
    bias, flattery = (np.mean(e) - slope * np.mean(chance) for e in (errors, flattered))
    assert flattery > 0.012
    assert abs(bias) < 0.005


def on_new_images(threshold: float) -> float:
    """Macro F1 of probabilities that are drawn evenly, where half of the images are positive."""
    taken = 1 - threshold
    return taken / (0.5 + taken) / 2 + (1 - taken) / (1.5 - taken) / 2


def test_what_several_rules_score_more_than_one_is_taken_off() -> None:
    """All yes and all no: together they have half of both classes right, alone all of one."""
    target, fold = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    answers = np.array([[1, 1, 1, 1], [0, 0, 0, 0]])
    for name, gain in (("macro_f1", 1 / 2 - 1 / 3), ("accuracy", 0.0)):
        metric = METRICS[name]
        found = gain_of_mixing(lambda given, m=metric: m.score(target, given, 2), answers, fold)
        assert found == pytest.approx(gain)
    probs = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8])[:, None]
    target, fold = np.array([0, 0, 1, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
    one = evidence(BINARY, F1, target, probs, fold)
    found, row = one.cross_fit(SOFT, "equal", FITTED), judge_row(one, SOFT, "equal", FITTED)
    assert row.scores.honest == one.score(found.honest) - found.mixed


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


def test_weights_that_were_searched_under_a_rule_are_searched_again_without_it() -> None:
    """A member that is right in every row: a hard vote must not end below it."""
    draw = np.random.default_rng(3)
    target = np.arange(24) % 3
    noise = draw.dirichlet(np.ones(3), 24)
    right = np.eye(3)[target] * 0.98 + 0.02 / 3
    evidence = TableEvidence(
        TASKS["multiclass"], METRICS["macro_f1"], target, np.arange(24) // 12, (noise, right), 3
    )
    for weigher in ("greedy", "optimize"):
        found = evidence.cross_fit(VOTES["hard"], weigher, Fitting(True, 0))
        assert evidence.score(found.raw) == 1.0
