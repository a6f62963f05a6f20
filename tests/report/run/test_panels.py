"""The charts of folds, classes and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from answer_toys import answers, curve, six

from comp.report.run.curves import reliability
from comp.report.run.panels import (
    LEAST_IN_BIN,
    MOST,
    class_panels,
    fold_charts,
    number_panels,
    reliability_chart,
)
from comp.report.run.tables import class_rows


def test_all_folds_are_on_one_axis() -> None:
    charts = dict(fold_charts([curve(0), curve(1)], "macro_f1"))
    assert [*charts] == ["Loss", "Score", "Learning rate"]
    for name in (
        "fold 0, training",
        "fold 0, validation",
        "fold 1, training",
        "fold 1, validation",
    ):
        assert f"<title>{name}</title>" in charts["Loss"]
    assert (
        'aria-label="The macro_f1 of 2 folds over their epochs: fold 0 ends at 0.7'
        in charts["Score"]
    )
    assert fold_charts([], "macro_f1") == []


def test_the_worst_class_is_the_first_panel() -> None:
    found = six()
    found = replace(found, labels=np.array([0, 1, 1, 1, 1, 1]))
    panels, left = class_panels(found, class_rows(found))
    assert [name for name, _ in panels] == ["c", "b", "a"]
    assert left == 0
    shown, roc, precision = panels[2][1]
    assert "Probabilities of a: 2 images have it, 4 do not." in shown
    assert "ROC of a: area 1.000." in roc
    assert "Precision over recall of a" in precision


def test_a_threshold_is_a_mark_and_a_binary_task_has_one_panel() -> None:
    found = answers("binary", [0, 1, 1], [[0.2], [0.9], [0.4]], ("no", "yes"))
    panels, left = class_panels(found, class_rows(found))
    assert [name for name, _ in panels] == ["yes"]
    assert "<title>threshold 0.500</title>" in panels[0][1][0]
    assert left == 0


def test_of_many_classes_the_lowest_scores_have_panels() -> None:
    count = MOST + 5
    found = answers("multiclass", range(count), np.eye(count), [str(n) for n in range(count)])
    panels, left = class_panels(found, class_rows(found))
    assert (len(panels), left) == (MOST, 5)


def test_a_reliability_diagram_says_its_error() -> None:
    chart = reliability_chart(reliability(np.array([0.9, 0.9]), np.array([True, False])))
    assert "expected calibration error 0.400" in chart


def test_a_bin_of_few_answers_counts_and_is_not_drawn() -> None:
    said = np.array([0.9] * LEAST_IN_BIN + [0.3] * (LEAST_IN_BIN - 1))
    found = reliability(said, np.ones(len(said), bool))
    assert len(found.count) == 2
    assert found.error == pytest.approx(np.abs(1 - said).mean())
    assert reliability_chart(found).count("<circle") == 1


def test_numbers_have_answers_residuals_and_their_distribution() -> None:
    target = np.linspace(0, 1, 8)[:, None]
    ((name, charts),) = number_panels(answers("regression", target, target + 0.5, ("age",), "rmse"))
    assert name == "age"
    assert charts[0].count('class="point"') == 8
    assert "root mean square 0.5" in charts[1]
    assert "mean 0.5" in charts[2]
