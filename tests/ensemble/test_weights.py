"""Weights: greedy picks are those of the plain method, and steps do not hold a search back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blend_toys import classes_case, columns_case

from comp.core.errors import ConfigError
from comp.ensemble.blend_scores import ClassJudge, CountJudge, PlainJudge, make_judge
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import WEIGHERS, greedy_picks, read_weights
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

MULTILABEL, MULTICLASS = TASKS["multilabel"], TASKS["multiclass"]
SOFT = VOTES["soft"]


def plain_picks(task, metric, target, probs, rule, rounds) -> list[int]:  # type: ignore[no-untyped-def]
    """Caruana's selection with a metric call for each candidate."""
    picks: list[int] = []
    history = []
    for count in range(rounds):
        totals = [sum((probs[p] for p in picks), probs[m]) / (count + 1) for m in range(len(probs))]
        scores = [round(metric.score(target, task.decide(t, rule), rule.size), 9) for t in totals]
        picks.append(int(np.argmax(scores)))
        history.append(max(scores))
    return picks[: int(np.argmax(history)) + 1]


@pytest.mark.parametrize("name", ["macro_f1", "label_accuracy", "micro_f1", "sample_f1"])
def test_greedy_picks_columns_as_the_plain_method_does(name: str) -> None:
    target, probs = columns_case()
    rule, metric = np.full(4, 0.45), METRICS[name]
    judge = make_judge(MULTILABEL, metric, SOFT, target, probs, rule)
    assert isinstance(judge, PlainJudge if name == "sample_f1" else CountJudge)
    expected = plain_picks(MULTILABEL, metric, target, probs, rule, 12)
    assert len(set(expected)) > 1
    assert greedy_picks(judge, np.arange(5), 12) == expected


@pytest.mark.parametrize("name", ["macro_f1", "accuracy"])
def test_greedy_picks_classes_as_the_plain_method_does(name: str) -> None:
    target, probs = classes_case()
    judge = make_judge(MULTICLASS, METRICS[name], SOFT, target, probs, np.zeros(3))
    assert isinstance(judge, ClassJudge)
    expected = plain_picks(MULTICLASS, METRICS[name], target, probs, np.zeros(3), 12)
    assert greedy_picks(judge, np.arange(5), 12) == expected


def test_a_search_over_steps_leaves_equal_weights() -> None:
    """One member is right everywhere, four are wrong together: small moves change nothing."""
    target = np.arange(40) % 2
    wrong = np.where(target == 1, 0.1, 0.9)[:, None].astype(np.float32)
    evidence = TableEvidence(
        TASKS["binary"], METRICS["macro_f1"], target, np.arange(40) % 2,
        (1 - wrong, wrong, wrong, wrong, wrong), 2,
    )  # fmt: skip
    for name in ("greedy", "optimize"):
        found = evidence.fit(SOFT, name, Fitting(False, 0))
        assert found.weights[0] > 0.5
        merged = SOFT.merge(evidence.probs, found.weights, evidence.task, np.array([0.5]))
        assert merged.labels.tolist() == target.tolist()


@pytest.mark.parametrize("name", ["greedy", "optimize"])
def test_searched_weights_never_score_below_equal_ones(name: str) -> None:
    for task, (target, probs) in ((MULTILABEL, columns_case()), (MULTICLASS, classes_case())):
        classes = probs[0].shape[1]
        evidence = TableEvidence(
            task, METRICS["macro_f1"], target, np.arange(80) % 4, tuple(probs), classes
        )
        found = evidence.fit(SOFT, name, Fitting(False, 0))
        assert found.weights.sum() == pytest.approx(1)
        scores = [
            evidence.score(SOFT.merge(probs, w, task, evidence.neutral()).labels)
            for w in (found.weights, np.ones(5))
        ]
        assert scores[0] >= scores[1]


def test_bags_are_a_function_of_the_seed() -> None:
    target, probs = columns_case(members=7)
    judge = make_judge(MULTILABEL, METRICS["macro_f1"], SOFT, target, probs, np.full(4, 0.45))
    search = WEIGHERS["greedy"]
    assert search is not None
    once, again = search(judge, 1), search(judge, 1)
    assert once.tolist() == again.tolist()
    assert (once > 0).sum() > 1


def test_weights_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("b: 3\n7: 1.5\n")
    assert read_weights(path, ["a", "b", "7"]).tolist() == [0, 3, 1.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c: 1\n", r"no member 'c'; the members are 'a', 'b'"),
        ("a: -1\n", r"weights are numbers >= 0"),
        ("a: 0\n", r"not all of them zero"),
        ("a: true\n", r"weights are numbers"),
        ("[1, 2]\n", r"expected names of members"),
    ],
)
def test_weights_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_weights(path, ["a", "b"])


def test_weights_that_are_no_file_are_told_with_the_names() -> None:
    with pytest.raises(ConfigError, match=r"'greedi' is neither one of equal, greedy, optimize"):
        read_weights(Path("greedi"), ["a"])


def test_climbing_takes_off_a_member_that_errs_as_another_does() -> None:
    """One member sees truth and noise, the other the noise alone: the difference is the truth."""
    draw = np.random.default_rng(0)
    target = np.arange(400) % 2
    noise = draw.normal(0, 0.3, 400)
    sees = np.clip(0.5 + 0.1 * (2 * target - 1) + 0.5 * noise, 0, 1)[:, None].astype(np.float32)
    noisy = np.clip(0.5 + noise, 0, 1)[:, None].astype(np.float32)
    evidence = TableEvidence(
        TASKS["binary"], METRICS["roc_auc"], target, np.arange(400) % 2, (sees, noisy), 2
    )
    found = evidence.fit(SOFT, "climb", Fitting(False, 0))
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights[1] < 0
    merged = SOFT.merge(evidence.probs, found.weights, evidence.task, np.array([0.5]))
    assert merged.probs is not None
    assert merged.probs.min() >= 0
    assert merged.probs.max() <= 1
    scores = [evidence.score(SOFT.merge(evidence.probs, w, evidence.task, np.array([0.5])).probs)
              for w in (found.weights, np.array([1.0, 0.0]))]  # fmt: skip
    assert scores[0] > scores[1] + 0.1
