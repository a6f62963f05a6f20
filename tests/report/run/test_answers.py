"""What is right, what is wrong and how bad it is, for each kind of target."""

from __future__ import annotations

import numpy as np
import pytest
from answer_toys import answers, six


def test_a_class_is_as_bad_as_its_truth_is_improbable() -> None:
    found = six()
    assert found.wrong.tolist() == [False, False, False, True, False, True]
    assert found.badness.tolist() == pytest.approx([0.2, 0.1, 0.3, 0.7, 0.2, 0.8])
    assert (found.truth_text(3), found.answer_text(3)) == ("a", "b")
    said, right = found.confidence()
    assert said.tolist() == pytest.approx([0.8, 0.9, 0.7, 0.6, 0.8, 0.7])
    assert right.tolist() == (~found.wrong).tolist()


def test_a_binary_column_stands_for_both_classes() -> None:
    found = answers("binary", [0, 1, 1], [[0.2], [0.9], [0.4]], ("no", "yes"))
    assert found.chance.tolist() == pytest.approx(np.array([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]]))
    assert found.badness.tolist() == pytest.approx([0.2, 0.1, 0.6])
    assert [found.answer_text(row) for row in range(3)] == ["no", "yes", "no"]


def test_cells_that_nobody_said_anything_about_are_neither_right_nor_wrong() -> None:
    target = [[1, -1], [0, 1], [-1, -1]]
    found = answers("multilabel", target, [[0.9, 0.9], [0.2, 0.3], [0.9, 0.9]], ("a", "b"))
    assert found.wrong.tolist() == [False, True, False]
    assert found.badness.tolist() == pytest.approx([0.1, 0.7, 0])
    assert [found.truth_text(row) for row in range(3)] == ["a", "b", "none"]
    assert len(found.confidence()[0]) == 3


def test_numbers_are_off_in_units_of_the_usual_error() -> None:
    target, said = np.zeros((4, 1)), np.array([[1.0], [1.0], [1.0], [-3.0]])
    found = answers("regression", target, said, ("age",), "rmse")
    assert found.off[:, 0].tolist() == pytest.approx(np.array([1, 1, 1, 3]) / np.sqrt(3))
    assert found.wrong.tolist() == [False, False, False, True]
    assert (found.truth_text(3), found.answer_text(3)) == ("0", "-3")
