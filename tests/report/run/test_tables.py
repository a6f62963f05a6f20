"""Numbers per class, per pair of classes and per slice."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from answer_toys import answers, six
from sklearn import metrics

from comp.ensemble.label_issues import LabelIssue
from comp.report.run.tables import (
    binned_slices,
    class_rows,
    confusion_of,
    fold_slices,
    gallery_rows,
    group_rows,
    number_rows,
    pairs_of,
    thresholds,
)


def test_scores_per_class_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(3, size=200)
    probs = draw.dirichlet(np.ones(3), 200) + 0.5 * np.eye(3)[target]
    found = answers("multiclass", target, probs / 1.5, ("a", "b", "c"))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(target, found.labels)
    rows = class_rows(found)
    assert [row.precision for row in rows] == pytest.approx(precision)
    assert [row.recall for row in rows] == pytest.approx(recall)
    assert [row.f1 for row in rows] == pytest.approx(f1)
    assert [row.support for row in rows] == support.tolist()
    assert rows[1].auc == pytest.approx(metrics.roc_auc_score(target == 1, probs[:, 1]))


def test_unknown_cells_count_nowhere() -> None:
    found = answers("multilabel", [[1, -1], [0, 1]], [[0.9, 0.9], [0.8, 0.7]], ("a", "b"))
    a, b = class_rows(found)
    assert (a.support, a.given, a.precision, a.recall, a.threshold) == (1, 2, 0.5, 1.0, 0.5)
    assert (b.support, b.given, b.f1) == (1, 1, 1.0)
    assert math.isnan(b.auc)


def test_the_thresholds_of_a_binary_rule_are_of_both_classes() -> None:
    found = answers("binary", [0, 1], [[0.1], [0.4]], ("no", "yes"), rule=np.array([0.3]))
    assert thresholds(found) == pytest.approx([0.7, 0.3])
    assert thresholds(six()) == [None, None, None]


def test_pairs_are_the_most_frequent_first_with_the_surest_examples() -> None:
    found = six()
    table = confusion_of(found)
    assert table.tolist() == [[1, 1, 0], [0, 2, 0], [0, 1, 1]]
    first, second = pairs_of(found, table, 5, 4)
    assert (first.truth, first.said, first.count, first.share, first.rows) == (0, 1, 1, 0.5, (3,))
    assert (second.truth, second.said, second.rows) == (2, 1, (5,))


def test_columns_are_confused_where_one_is_missed_and_another_is_said() -> None:
    target = [[1, 0], [1, 0], [1, 1]]
    found = answers("multilabel", target, [[0.1, 0.9], [0.9, 0.9], [0.2, 0.9]], ("a", "b"))
    table = confusion_of(found)
    assert table.tolist() == [[0, 1], [0, 0]]
    assert [pair.rows for pair in pairs_of(found, table, 5, 4)] == [(0,)]


def test_numbers_have_errors_and_explained_variance() -> None:
    target = np.array([[0.0], [1.0], [2.0], [3.0]])
    said = target + np.array([[0.5], [-0.5], [0.5], [0.5]])
    (row,) = number_rows(answers("regression", target, said, ("age",), "rmse"))
    assert (row.bias, row.mae, row.rmse) == pytest.approx((0.25, 0.5, 0.5))
    assert row.r2 == pytest.approx(metrics.r2_score(target, said))
    assert row.correlation == pytest.approx(np.corrcoef(target[:, 0], said[:, 0])[0, 1])


def test_a_slice_scores_its_own_rows() -> None:
    found = six()
    slices = fold_slices(found, 0)
    assert [(part.name, part.images) for part in slices] == [("0", 3), ("1", 3)]
    truth, said = [1, 0, 2], [1, 1, 1]  # the F1s of a, b, c: 0, 1/2, 0
    f1 = metrics.f1_score(truth, said, average="macro", zero_division=0.0)
    assert slices[1].score == pytest.approx(f1)
    assert slices[0].score == 1.0
    assert math.isnan(slices[0].low)  # of three images no interval is worth its name
    assert [(part.wrong, part.units) for part in slices] == [(0, 3), (2 / 3, 3)]
    grouped = replace(found, groups=["x"] * 6)
    assert [part.units for part in fold_slices(grouped, 0)] == [1, 1]


def test_bins_are_quantiles_and_equal_values_have_none() -> None:
    found, rows = six(), np.arange(6)
    parts = binned_slices(found, "brightness", rows, np.arange(6.0), ("dark", "light"), 0)
    assert [(part.name, part.images) for part in parts] == [
        ("dark: 0 to 2.5", 3),
        ("light: 2.5 to 5", 3),
    ]
    assert binned_slices(found, "size", rows, np.ones(6), ("small", "large"), 0) == []
    assert binned_slices(found, "size", rows[:0], np.ones(0), ("small", "large"), 0) == []


def test_groups_are_the_worst_first() -> None:
    found = answers(
        "binary",
        [0, 0, 1, 1],
        [[0.9], [0.1], [0.9], [0.9]],
        ("a", "b"),
        groups=["x", "x", "y", "y"],
    )
    rows, count = group_rows(found, 1)
    assert [(row.name, row.images, row.wrong) for row in rows] == [("x", 2, 0.5)]
    assert count == 2
    assert group_rows(six(), 5) == ([], 0)


def test_the_gallery_has_the_worst_and_then_the_doubted() -> None:
    doubted = [LabelIssue(row, "", "", "a", "b", -0.5, True) for row in (5, 1, 0)]
    found = six()
    assert gallery_rows(found, 2, 5) == [5, 3]
    object.__setattr__(found, "issues", doubted)
    assert gallery_rows(found, 2, 1) == [5, 3, 1]


def test_an_interval_needs_six_units() -> None:
    probs = np.tile([[0.9], [0.2], [0.6]], (4, 1))
    found = answers("binary", [1, 0, 0] * 4, probs, ("no", "yes"), fold=np.zeros(12, int))
    five, six_ = ([str(min(row, most)) for row in range(12)] for most in (4, 5))
    parts = [fold_slices(replace(found, groups=own), 0)[0] for own in (five, six_)]
    assert [part.units for part in parts] == [5, 6]
    assert [math.isnan(part.low) for part in parts] == [True, False]
