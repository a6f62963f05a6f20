"""`image.range` and `image.windows`."""

from typing import Any

import pytest
from pydantic import ValidationError

from comp.config.schema import ImageConfig


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("auto", "auto"),
        ("channels", "channels"),
        ([0, 4095], (0.0, 4095.0)),
        ([[0, 1], [2, 3.5], [-1, 0]], ((0.0, 1.0), (2.0, 3.5), (-1.0, 0.0))),
    ],
)
def test_a_range_is_a_word_a_pair_or_a_pair_for_each_channel(given: Any, found: Any) -> None:
    assert ImageConfig(range=given).range == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("autos", "write auto, channels, the two values"),
        ([1, 2, 3], "write auto, channels, the two values"),
        ([5, 1], r"must rise, found \[5.0, 1.0\]"),
        ([[0, 1], [3, 3], [0, 1]], r"must rise, found \[3.0, 3.0\]"),
        ([[0, 1], [0, 1]], r"range has 2 pairs; it takes one, or one per channel \(3"),
        ([0, float("nan")], "write auto"),
    ],
)
def test_a_range_that_cannot_be_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageConfig(range=given)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"windows": [40, 80]}, "write file, or pairs of a centre and a width"),
        ({"windows": [[40, 0]]}, "a width above 0"),
        ({"windows": [[40, 80], [80, 200]]}, "2 windows cannot make 3 channels"),
        ({"windows": "file", "range": [0, 1]}, "range and windows exclude each other"),
        ({"channels": 17}, "less than or equal to 16"),
        ({"channels": 5, "mean": [0.5, 0.5, 0.5]}, "5 numbers each, one per channel"),
    ],
)
def test_what_does_not_go_together_is_refused(over: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageConfig(**over)


def test_windows_are_channels() -> None:
    image = ImageConfig(channels=2, windows=[[40, 80], [600, 2800]], mean=[0.5, 0.4])
    assert image.windows == ((40.0, 80.0), (600.0, 2800.0))
