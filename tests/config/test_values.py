"""The types of the values in a config."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from comp.config.values import Counts, Edges, FileName, Names, NotNegative, Positive, Section, Share


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Names, "a", ("a",)),
        (Names, ["a", "b"], ("a", "b")),
        (Counts, [1, 2], (1, 2)),
        (Edges, [0.5, 2], (0.5, 2.0)),
        (Positive, 1e-9, 1e-9),
        (NotNegative, 0.0, 0.0),
        (Share, 0.999, 0.999),
        (FileName, "사과 🍎 v1.5+x", "사과 🍎 v1.5+x"),
        (FileName, unicodedata.normalize("NFD", "é"), "é"),
        (FileName, "x" * 200, "x" * 200),
    ],
)
def test_a_value_is_taken(kind: Any, value: Any, expected: Any) -> None:
    assert TypeAdapter(kind).validate_python(value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Counts, [1, 0], "greater than or equal to 1"),
        (Edges, [], "at least 1 item"),
        (Edges, [float("inf")], "finite number"),
        (Positive, 0.0, "greater than 0"),
        (Positive, float("nan"), "finite number"),
        (NotNegative, -1e-9, "greater than or equal to 0"),
        (Share, 1.0, "less than 1"),
        (FileName, "../up", "begins with a letter, a digit or an emoji"),
        (FileName, "a/b", "a name for folders and files"),
        (FileName, "x" * 201, "201 bytes; at most 200 fit in file names"),
        (FileName, 5, "valid string"),
    ],
)
def test_an_impossible_value_is_refused(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(kind).validate_python(value)


def test_a_section_is_frozen_and_converts_nothing() -> None:
    class Part(Section):
        size: int = 1

    with pytest.raises(ValidationError, match="frozen"):
        Part().size = 2
    for wrong in ({"size": "2"}, {"size": 2.0}, {"sizes": 2}):
        with pytest.raises(ValidationError):
            Part.model_validate(wrong)


@pytest.mark.parametrize(
    "name", ["x.groups", "x.skip", "y.coco", "X.Groups", "a.csv", "a.json", "x.", "con", "NUL.v1"]
)
def test_a_name_that_is_a_file_of_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"like a file of another one|Windows keeps"):
        TypeAdapter(FileName).validate_python(name)


@pytest.mark.parametrize("name", ["groups", "skip", "scores", "console", "x.v1", "comet"])
def test_a_name_that_only_looks_like_one_is_taken(name: str) -> None:
    assert TypeAdapter(FileName).validate_python(name) == name
