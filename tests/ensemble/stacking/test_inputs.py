"""Inputs of a second level: logits, and columns as the rows that are fitted on define them."""

from __future__ import annotations

import numpy as np
import pytest

from comp.ensemble.stacking.inputs import Encoder, as_logits
from comp.tasks.kinds import SIGMOID, SOFTMAX


def test_answers_are_log_odds_or_log_shares() -> None:
    odds = as_logits(np.array([[0.5, 0.75]]), SIGMOID)[0]
    assert odds.tolist() == pytest.approx([0, np.log(3)])
    found = as_logits(np.array([[0.2, 0.2, 0.6]]), SOFTMAX)
    assert found.sum() == pytest.approx(0)
    assert found[0, 2] - found[0, 0] == pytest.approx(np.log(3))
    assert np.isfinite(as_logits(np.array([[0.0, 1.0]]), SIGMOID)).all()


def test_columns_are_known_by_the_rows_that_are_fitted_on() -> None:
    answers = np.zeros((4, 1))
    encoder = Encoder.fit(answers, [["a", "b", "a", "a"], ["1", "3", "", "5"]])
    assert encoder.columns == (("text", ["a", "b"]), ("number", 3.0))
    found = encoder.encode(np.zeros((2, 1)), [["c", "a"], ["", "9"]])
    assert found.shape == (2, 1 + 2 + 2)
    raw = found * np.where(np.isfinite(encoder.scale), encoder.scale, 0) + encoder.mean
    assert raw[0].tolist() == pytest.approx([0, 0, 0, 3, 1])  # `c` is no value; blank: the median
    assert raw[1].tolist() == pytest.approx([0, 1, 0, 9, 0])


def test_what_does_not_vary_says_nothing() -> None:
    encoder = Encoder.fit(np.array([[1.0, 2.0], [1.0, 4.0]]), [])
    assert encoder.encode(np.array([[7.0, 3.0]]), []).tolist() == [[0.0, 0.0]]
