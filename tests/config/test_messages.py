"""What pydantic finds becomes a line that names the key, the value and the nearest name."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from comp.config.messages import explain
from comp.config.values import Count, Section


class Inner(Section):
    size: Count = 1
    mode: Literal["fast", "exact"] = "fast"
    either: int | str | None = None
    some: Count | Literal["auto"] | None = None


class Outer(Section):
    name: str
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        ({}, ["  - name: this key is needed"]),
        (
            {"name": "x", "inner": {"sise": 1}},
            [
                "  - inner.sise: unknown key; known here: size, mode, either, some. "
                "Did you mean 'size'?"
            ],
        ),
        (
            {"name": "x", "inner": {"mode": "exakt"}},
            ["  - inner.mode: Input should be 'fast' or 'exact', found 'exakt'. "
             "Did you mean 'exact'?"],
        ),
        (
            {"name": "x", "inner": {"size": 0}},
            ["  - inner.size: Input should be greater than or equal to 1, found 0"],
        ),
        (
            {"name": "x" * 99, "inner": "y" * 99},
            ["  - inner: Input should be a valid dictionary or instance of Inner, found 'yyyyyyyyy"
             "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy..."],
        ),
    ],
    ids=["missing", "unknown", "choice", "range", "long"],
)  # fmt: skip
def test_a_complaint_names_key_value_and_what_is_allowed(
    tree: dict[str, Any], lines: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(tree)
    assert explain(caught.value, Outer) == lines


def test_each_type_of_a_union_is_named_under_the_same_key() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"name": "x", "inner": {"either": [1]}})
    assert explain(caught.value, Outer) == [
        "  - inner.either: Input should be a valid integer, found [1]",
        "  - inner.either: Input should be a valid string, found [1]",
    ]


@pytest.mark.parametrize("value", [0, -3])
def test_a_value_out_of_the_range_of_its_type_is_one_complaint(value: int) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"name": "x", "inner": {"some": value}})
    assert explain(caught.value, Outer) == [
        f"  - inner.some: Input should be greater than or equal to 1, found {value}"
    ]
