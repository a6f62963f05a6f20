"""YAML as it looks: no surprises, values laid over it, differences by key."""

from typing import Any

import pytest

from comp.config.plain_yaml import assign, differences, flatten, parse_yaml
from comp.core.errors import ConfigError


def test_yaml_scalars_mean_what_they_look_like() -> None:
    assert parse_yaml("[1e-3, 3.0e-4, 5, 2., no, on, y, true, null, 00001x]", "t") == [
        1e-3,
        3e-4,
        5,
        2.0,
        "no",
        "on",
        "y",
        True,
        None,
        "00001x",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "t, line 3: the key 'a' is given twice"),
        ("a:\n  - {b: 1, b: 2}", "t, line 2: the key 'b' is given twice"),
        ("a: &x [1]\nb: *x", "t, line 1: anchors and aliases are not allowed"),
        ("a: !!python/object/apply:os.system [echo]", "t, line 1: not valid YAML"),
        ("a: [1", "t, line 1: not valid YAML"),
        ("a: " + "x" * (1 << 20), "larger than"),
    ],
)
def test_yaml_that_could_surprise_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s).*") as caught:
        parse_yaml(text, "t")
    assert message in str(caught.value)


def test_an_assignment_is_laid_over_the_tree_as_yaml() -> None:
    tree: dict[str, Any] = {"train": {"lr": 1}, "model": None}
    for assignment in ("train.lr=1e-4", "model.name=x", "data.target=[a, b]", "seed=007x"):
        assign(tree, assignment)
    assert tree == {
        "train": {"lr": 1e-4},
        "model": {"name": "x"},
        "data": {"target": ["a", "b"]},
        "seed": "007x",
    }


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lr", "--set lr: write it as key.path=value"),
        (" =1", "--set  =1: write it as key.path=value"),
        ("seed.x=1", "--set seed.x=1: 'seed' holds a value, not further keys"),
        ("seed=[1", "--set seed=[1, line 1: not valid YAML"),
    ],
)
def test_what_is_no_assignment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        assign({"seed": 1}, assignment)
    assert str(caught.value).startswith(message)


def test_differences_name_the_leaves_that_are_not_equal() -> None:
    old = {"a": 1, "b": {"c": 2, "d": [1]}, "gone": {"x": 0}}
    new = {"b": {"d": [2], "c": 2}, "a": 1, "new": None, "more": 5}
    assert differences(old, new) == {"b.d": ([1], [2]), "gone.x": (0, None), "more": (None, 5)}
    assert [*flatten(old)] == [("a", 1), ("b.c", 2), ("b.d", [1]), ("gone.x", 0)]
