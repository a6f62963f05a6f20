"""A metric file as a metric: weights are how often a row is there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.core.errors import CompError, MetricError
from comp.tasks.kinds import TASKS
from comp.tasks.official.metric import Form, Official, official_metric
from comp.tasks.official.rows import numbered


class Fake:
    """Counts the rows that it is asked about, and refuses a set without row 1."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def score(self, rows: Any, answer: Mapping[str, Any]) -> float:
        self.asked.append(rows.tolist())
        if 1 not in rows:
            raise MetricError("says: row 1 is needed")
        return float(answer["y"].sum())

    def close(self) -> None:
        """Nothing to end."""


def made() -> tuple[Official, Fake]:
    official, fake = Official(Path("m.py")), Fake()
    official._bound = fake, Form(lambda answer: {"y": answer})  # type: ignore[assignment]
    return official, fake


def test_whole_weights_repeat_rows_and_others_have_no_score() -> None:
    official, fake = made()
    target = numbered(np.array([0, 1, 0, 1]))[np.array([3, 1])]
    weights = np.array([[1, 1], [2, 1], [3, 0], [0.5, 1], [0, 0]])
    found = official.weighted(target, np.array([10, 1]), 2, weights)
    assert found == pytest.approx([11, 21, np.nan, np.nan, np.nan], nan_ok=True)
    assert fake.asked == [[3, 1], [3, 3, 1], [3, 3, 3]]


def test_what_the_file_says_of_the_whole_set_is_an_error() -> None:
    official, _ = made()
    target = numbered(np.array([0, 1, 0]))[[0, 2]]
    with pytest.raises(MetricError, match="row 1 is needed"):
        official.weighted(target, np.array([1, 1]), 2, np.ones((1, 2)))


def test_rows_and_solution_must_be_known() -> None:
    official, _ = made()
    with pytest.raises(CompError, match="not known which images"):
        official.weighted(np.array([0, 1]), np.array([1, 1]), 2, np.ones((1, 2)))
    metric = official_metric(
        "m.py",
        Path("m.py"),
        TASKS["binary"],
        wants="labels",
        better="lower",
        arguments={},
        seconds=1.0,
    )
    assert (metric.greater_is_better, metric.searched, metric.of) == (False, True, ("class",))
    with pytest.raises(CompError, match="a run of a config with its data only"):
        metric.score(numbered(np.array([0, 1])), np.array([1, 1]), 2)
