"""Label issues: the confident-learning ranking."""

from __future__ import annotations

import numpy as np
import pytest

from comp.ensemble.label_issues import column_issues, find_doubted, grade_issues


def test_rows_that_are_confidently_another_class_are_ranked_by_margin() -> None:
    """Means: class 0 has (0.9 + 0.8 + 0.1) / 3 = 0.6, class 1 has (0.7 + 0.9 + 0.3) / 3 = 0.633."""
    target = np.array([0, 0, 0, 1, 1, 1])
    ones = np.array([0.1, 0.2, 0.9, 0.7, 0.9, 0.3])
    found = find_doubted(target, np.stack([1 - ones, ones], axis=1))
    assert found.rows.tolist() == [2, 5]
    assert found.sure.tolist() == [True, True]
    assert (found.given.tolist(), found.likely.tolist()) == ([0, 1], [1, 0])
    assert found.margin.tolist() == pytest.approx([0.1 - 0.9, 0.3 - 0.7])


def test_flipped_labels_are_found_and_no_others() -> None:
    draw = np.random.default_rng(0)
    true = draw.integers(0, 4, 300)
    probs = draw.dirichlet(np.ones(4), 300) * 0.05 + 0.95 * np.eye(4)[true]
    target = true.copy()
    target[:12] = (true[:12] + 1) % 4
    found = find_doubted(target, probs)
    assert sorted(found.rows.tolist()) == list(range(12))
    assert found.likely.tolist() == true[found.rows].tolist()


def test_a_class_that_no_row_has_is_never_confident() -> None:
    probs = np.array([[0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    found = find_doubted(np.array([0, 1, 0]), probs)
    assert (found.rows.tolist(), found.sure.tolist()) == ([0], [False])


def test_rows_that_are_merely_more_likely_another_class_come_after_the_confident_ones() -> None:
    target = np.array([0, 0, 0, 0, 1, 1])
    ones = np.array([0.05, 0.1, 0.55, 0.95, 0.9, 0.9])
    found = find_doubted(target, np.stack([1 - ones, ones], axis=1))
    assert (found.rows.tolist(), found.sure.tolist()) == ([3, 2], [True, False])


def test_an_unknown_cell_is_no_label_issue() -> None:
    target = np.array([[1], [-1], [0], [0], [1]])
    probs = np.array([[0.9], [0.95], [0.1], [0.97], [0.8]])
    (issue,) = column_issues(list("abcde"), ["x"], target, probs)
    assert (issue.row, issue.id, issue.label, issue.given) == (3, "d", "x", "0")


def test_grades_far_from_the_expected_ones_are_issues() -> None:
    target = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    expected = target + 0.1 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    expected[4], expected[7] = 2.9, 1.9
    found = grade_issues([*"abcdefgh"], ("1", "2", "3", "4"), target, expected)
    assert [(one.id, one.given, one.likely, one.sure) for one in found] == [
        ("e", "1", "4", True),
        ("h", "4", "3", True),
    ]
