"""Curves and calibration, with scikit-learn as the judge."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from comp.report.run.curves import curve_of, reliability

DRAW = np.random.default_rng(3)


@pytest.mark.parametrize("steps", [4, 1000])  # with many ties, and with none
def test_curves_and_areas_are_those_of_scikit_learn(steps: int) -> None:
    truth = DRAW.random(300) < 0.3
    scores = np.round(0.3 * truth + 0.7 * DRAW.random(300), 6 if steps > 10 else 1)
    found = curve_of(truth, scores)
    fpr, recall, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    assert found.fpr.tolist() == pytest.approx(fpr)
    assert found.recall.tolist() == pytest.approx(recall)
    assert found.area == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(truth, scores))
    precision, at, _ = metrics.precision_recall_curve(truth, scores)
    assert found.precision.tolist() == pytest.approx(precision[::-1])
    assert found.recall.tolist() == pytest.approx(at[::-1])


def test_a_class_without_positives_has_no_areas() -> None:
    found = curve_of(np.zeros(4, bool), np.arange(4.0))
    assert np.isnan(found.area)
    assert np.isnan(found.average_precision)
    assert np.isnan(curve_of(np.zeros(0, bool), np.zeros(0)).area)


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    said = np.array([0.95, 0.95, 0.95, 0.95, 0.05, 1.0])
    right = np.array([1, 1, 0, 0, 0, 1], bool)
    found = reliability(said, right)
    assert found.count.tolist() == [1, 5]
    assert found.right.tolist() == pytest.approx([0, 0.6])
    assert found.said.tolist() == pytest.approx([0.05, 0.96])
    assert found.error == pytest.approx((0.05 + 5 * 0.36) / 6)
    assert found.lean == pytest.approx(said.mean() - right.mean())


def test_probabilities_that_keep_their_word_have_no_error() -> None:
    found = reliability(np.array([0.5, 0.5, 1.0]), np.array([1, 0, 1], bool))
    assert (found.error, found.lean) == (0, 0)
