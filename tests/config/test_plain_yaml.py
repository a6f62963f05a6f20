"""YAML as it looks: no surprises, values laid over it, differences by key."""

from typing import Any

import pytest
import yaml

from comp.config.plain_yaml import (
    assign,
    differences,
    dump_yaml,
    flatten,
    parse_config,
    parse_yaml,
)
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
        ("\na: !!timestamp 2024-13-45", "t, line 2: not valid YAML here: tags such as !!timestamp"),
        ("a: !<tag:yaml.org,2002:int> 0b_", "t, line 1: not valid YAML here: tags such as !!int"),
        ("a: ! x", "t, line 1: not valid YAML here: tags such as ! are"),
        ("\na: " + "9" * 5000, "t, line 2: not valid YAML: a whole number of 5000 digits"),
        ("a: 0x" + "9" * 5000, "t, line 1: not valid YAML: a whole number of 5002 digits"),
        ("a: 1e999", "t, line 1: not valid YAML: 1e999 is too large a number"),
        ("\na:\n  " + "[" * 99, "t, line 3: nested more than 30 levels deep"),
        ("a:\n" + "- " * 99, "t, line 2: nested more than 30 levels deep"),
        ("\n[a]: 1", "t, line 2: a key must be a name"),
        ("\na: \x01", r"t, line 2: not valid YAML: the character '\x01' is not allowed"),
        ("a: \udcff", r"t, line 1: not valid YAML: the character '\udcff' is not allowed"),
        ("a: 1\n---\nb: 2", "t, line 2: not valid YAML: but found another document"),
        ("a: " + "x" * (1 << 20), "larger than"),
    ],
)
def test_yaml_that_could_surprise_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s).*") as caught:
        parse_yaml(text, "t")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, text) for text in ("1:30", "2024-13-45", "2024-01-01", "0b_", "0b1", "1_000")),
        *((text, text) for text in ("=", "<<", "yes", "1e", "0o", "0o9", "+0x1", "1٣", ".")),
        ("010", 10),
        ("-010", -10),
        ("0o10", 8),
        ("0x1F", 31),
        ("+5", 5),
        (".5", 0.5),
        ("-5.", -5.0),
        ("1.e3", 1000.0),
        ("-.INF", float("-inf")),
        ("~", None),
        ("NULL", None),
        ("FALSE", False),
    ],
)
def test_scalars_are_those_of_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}", "t")["a"]
    assert (found, type(found)) == (value, type(value))
    assert parse_yaml(dump_yaml({"a": value}), "t") == {"a": value}
    if isinstance(value, str):  # quoted where another reader would take it for something else
        assert yaml.safe_load(dump_yaml({"a": value})) == {"a": value}


def test_keys_stay_the_text_that_they_are() -> None:
    assert parse_yaml("{010: a, no: b, 1.0: c, null: d}", "t") == {
        "010": "a",
        "no": "b",
        "1.0": "c",
        "null": "d",
    }


def test_each_key_and_item_has_its_line() -> None:
    tree, lines = parse_config("a: 1\nb:\n  c: [1,\n    2]\n", "t")
    assert tree == {"a": 1, "b": {"c": [1, 2]}}
    assert lines == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "0"): 3,
        ("b", "c", "1"): 4,
    }


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
