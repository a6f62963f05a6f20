"""What is left out first when the time is short."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comp.bundles.contents import Member, Step
from comp.bundles.time_limit import Clock, Effort, Rate, efforts, first_fitting, seconds_of


@pytest.fixture
def bundle() -> Any:
    """Run a with three folds of two views, run b with one fold of one view."""
    none = (0.0,)
    members = [Member("a", fold, f"{fold}", 0.25, "hflip", none, none) for fold in range(3)]
    members.append(Member("b", 0, "3", 0.25, "none", none, none))
    steps = tuple(
        Step(runs, (1.0,) * len(runs), np.zeros(2), False, honest)
        for runs, honest in ((("a", "b"), 0.9), (("a",), 0.85))
    )
    return SimpleNamespace(members=members, runs=("a", "b"), steps=steps)


def test_views_go_first_then_folds_then_runs(bundle: Any) -> None:
    found = [(effort.views, effort.folds, effort.step) for effort in efforts(bundle)]
    assert found == [(2, 3, 0), (1, 3, 0), (1, 2, 0), (1, 1, 0), (1, 1, 1)]


def test_the_time_of_an_effort_is_reading_and_views_of_all_that_is_asked(bundle: Any) -> None:
    rates, images = {"a": Rate(1, 10), "b": Rate(2, 20)}, {"a": 5, "b": 4}
    assert seconds_of(Effort(2, 3, 0), bundle, rates, images) == 5 * (1 + 60) + 4 * (2 + 20)
    assert seconds_of(Effort(1, 1, 1), bundle, rates, images) == 5 * 11


@pytest.mark.parametrize(
    ("seconds", "place"), [(1000, 0), (393, 0), (392, 1), (200, 2), (143, 3), (60, 4), (0, 4)]
)
def test_the_most_that_fits_is_asked(bundle: Any, seconds: float, place: int) -> None:
    rates, images = {"a": Rate(1, 10), "b": Rate(2, 20)}, {"a": 5, "b": 4}
    choices = efforts(bundle)
    assert first_fitting(choices, bundle, rates, images, seconds) == choices[place]


def test_what_is_left_out_is_told_with_its_score(bundle: Any) -> None:
    whole, least = efforts(bundle)[0], efforts(bundle)[-1]
    assert whole.told(whole, bundle) == []
    assert least.told(whole, bundle) == [
        "views per image: 1 of 2",
        "folds per run: 1 of 3",
        "runs: without b (out of fold, honest: 0.8500, with all 0.9000)",
    ]


def test_some_of_the_limit_is_kept_for_the_file() -> None:
    assert Clock(None, False).left == float("inf")
    assert 91 < Clock(100, False).left <= 92
    assert 74 < Clock(100, True).left <= 75
