"""A blend: aligned by id, tuned when that helps, scored honestly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.core.errors import ConfigError, PredictionsError
from comp.data.index.index import Index
from comp.ensemble.blend import Blend, make_blend, out_of_fold
from comp.ensemble.compare import judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES, check_vote
from comp.inference.predictions import Predictions
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

PLAN, OTHER = "a" * 64, "b" * 64
CLASSES = ("no", "yes")
BINARY = TASKS["binary"]


def make_index(target: np.ndarray, groups: tuple[str, ...] | None = None) -> Index:
    ids = tuple(f"{row:03}" for row in range(len(target)))
    return Index(ids, tuple(Path(i) for i in ids), CLASSES, target, groups)


def member(ids: Any, probs: Any, fold: int = 0, plan: str = PLAN, **more: Any) -> Predictions:
    column = np.asarray(probs, dtype=np.float32).reshape(-1, 1)
    return Predictions(tuple(ids), column, more.get("classes", CLASSES), "sigmoid",
                       {"plan": plan, "fold": fold})  # fmt: skip


def shifted(rows: int = 60) -> tuple[Index, np.ndarray, np.ndarray]:
    """Probabilities that part the classes well, but at 0.25 instead of 0.5."""
    draw = np.random.default_rng(0)
    target = np.arange(rows) % 2
    return make_index(target), 0.15 + 0.2 * target + 0.1 * draw.random(rows), np.arange(rows) % 3


def blended(index: Index, probs: Any, fold: Any, **more: Any) -> Blend:
    metric = METRICS[more.get("metric", "macro_f1")]
    vote = VOTES[more.get("vote", "soft")]
    check_vote(vote, metric)
    column = np.asarray(probs, dtype=np.float32).reshape(-1, 1)
    fold = np.asarray(fold)
    evidence = TableEvidence(BINARY, metric, index.labels, fold, (column,), 2, groups=index.groups)
    row = judge_row(evidence, vote, "equal", Fitting(more.get("tune_rule", True), seed=1))
    return make_blend(row, [more.get("members", ("fold 0",))], metric)


def test_a_rule_that_holds_on_other_folds_is_kept_with_its_honest_score() -> None:
    index, probs, fold = shifted()
    blend = blended(index, probs, fold)
    assert 0.25 < blend.rule[0] < 0.35
    assert blend.scores.raw == pytest.approx(1 / 3)
    assert (blend.scores.tuned, blend.scores.honest) == (1.0, 1.0)  # 0.25 parts every fold
    assert blend.scores.low <= 1.0 <= blend.scores.high
    assert blend.note == ""


def test_a_rule_that_does_not_hold_on_other_folds_is_dropped() -> None:
    """Either fold has its one mistake on the other side of 0.5."""
    probs = [0.1, 0.45, 0.6, 0.9, 0.1, 0.4, 0.55, 0.9]
    index = make_index(np.array([0, 1, 1, 1, 0, 0, 0, 1]))
    blend = blended(index, probs, np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    scores = blend.scores
    assert blend.rule.tolist() == [0.5]
    assert scores.raw == scores.tuned == scores.honest
    assert blend.note.startswith("thresholds not used: tuned on the other folds they score 0.")


def test_nothing_is_tuned_when_not_asked_or_for_a_metric_of_probabilities() -> None:
    index, probs, fold = shifted()
    for more in ({"tune_rule": False}, {"metric": "log_loss"}):
        blend = blended(index, probs, fold, **more)
        assert blend.rule.tolist() == [0.5]
        assert blend.scores.raw == blend.scores.tuned == blend.scores.honest
        assert blend.scores.low < blend.scores.raw < blend.scores.high


def test_the_interval_draws_the_groups_of_the_index() -> None:
    index, _, fold = shifted()
    grouped = make_index(index.labels, tuple(f"g{row // 20}" for row in range(60)))
    probs = np.where(np.arange(60) < 20, 1 - index.labels, index.labels)
    plain = blended(index, probs, fold, tune_rule=False).scores
    wide = blended(grouped, probs, fold, tune_rule=False).scores
    assert wide.high - wide.low > plain.high - plain.low


def test_folds_are_joined_by_id() -> None:
    index = make_index(np.array([0, 1, 0, 1]))
    fold = np.array([1, 0, 0, 1])
    parts = [member(["002", "001"], [0.3, 0.2]), member(["003", "000"], [0.4, 0.1], fold=1)]
    joined = out_of_fold(parts, index, fold, PLAN)
    assert joined.ids == index.ids
    assert joined.probs.ravel().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_part_that_holds_images_of_another_fold_is_refused() -> None:
    index = make_index(np.array([0, 1, 0, 1]))
    parts = [member(["000", "001"], [0.1, 0.2]), member(["002", "003"], [0.1, 0.2], fold=1)]
    with pytest.raises(PredictionsError, match=r"fold 1: 1 images are not of fold 1.*'002'"):
        out_of_fold(parts, index, np.array([0, 0, 0, 1]), PLAN)


def test_training_ids_without_a_row_and_rows_without_an_id_are_refused() -> None:
    index = make_index(np.array([0, 1, 0]))
    fold = np.zeros(3, int)
    with pytest.raises(PredictionsError, match=r"no row for 1 ids: '002'"):
        out_of_fold([member(["000", "001"], [0.1, 0.2])], index, fold, PLAN)
    extra = [member(["000", "001", "002", "009"], [0.1] * 4)]
    with pytest.raises(PredictionsError, match=r"1 ids are not among the 3 .*'009'"):
        out_of_fold(extra, index, fold, PLAN)


def test_a_hard_vote_for_a_metric_of_probabilities_is_refused() -> None:
    index, probs, fold = shifted()
    with pytest.raises(ConfigError, match="gives decisions"):
        blended(index, probs, fold, metric="roc_auc", vote="hard")


def test_the_record_holds_plain_values_and_none_for_an_undefined_score() -> None:
    index = make_index(np.zeros(4, int))
    record = blended(index, [0.1] * 4, np.arange(4) % 2, metric="roc_auc").record()
    assert record == {
        "members": ["fold 0"],
        "vote": "soft",
        "weigher": "equal",
        "weights": [1.0],
        "rule": [0.5],
        "scores": dict.fromkeys(["raw", "tuned", "honest", "low", "high"]),
        "note": "",
    }
