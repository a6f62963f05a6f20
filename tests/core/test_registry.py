"""Entries of users in a table: who may add and replace which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comp.core import registry
from comp.core.errors import ConfigError, DataError


@pytest.fixture
def table() -> Iterator[dict[str, int]]:
    yield {"built_in": 0}
    for owner in ("a.py", "b.py", registry.PROGRAM):
        registry.forget(owner)


def test_what_an_owner_registered_is_forgotten_with_it(table: dict[str, int]) -> None:
    for owner, name in (("a.py", "one"), ("b.py", "two")):
        with registry.owned_by(owner):
            registry.enter(table, "number", name, 1)
    registry.forget("a.py")
    assert table == {"built_in": 0, "two": 1}


def test_taken_names_are_refused_with_who_has_them(table: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="'built_in' is taken: it is built in"):
        registry.enter(table, "number", "built_in", 1)
    with registry.owned_by("a.py"):
        registry.enter(table, "number", "one", 1)
    with pytest.raises(ConfigError, match=r"'one' is taken: a\.py has registered it"):
        registry.enter(table, "number", "one", 2)
    assert table == {"built_in": 0, "one": 1}


def test_the_program_may_replace_its_own_entries(table: dict[str, int]) -> None:
    registry.enter(table, "number", "mine", 1)
    registry.enter(table, "number", "mine", 2)
    assert table["mine"] == 2
    registry.forget(registry.PROGRAM)
    assert table == {"built_in": 0}


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", None, 3])
def test_a_name_is_one_word(table: dict[str, int], name: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        registry.enter(table, "number", name, 1)


def test_an_exception_of_a_users_function_names_the_entry_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "parts.py"
    path.write_text("def inner():\n    raise ValueError('boom')\n\ndef f(x):\n    return inner()\n")
    inside: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), inside)
    with registry.owned_by(str(path)):
        call = registry.guarded(inside["f"], "sampler", "mine", DataError)
    with pytest.raises(
        DataError, match=r"^sampler 'mine' \(parts\.py, line 2\): ValueError: boom$"
    ):
        call(1)
    through = registry.guarded(inside["f"], "loss", "mine", passes=lambda p: "boom" in str(p))
    with pytest.raises(ValueError, match="^boom$"):
        through(1)


def test_an_error_of_the_program_goes_through_a_users_function() -> None:
    def f() -> None:
        raise ConfigError("mine")

    with pytest.raises(ConfigError, match="^mine$"):
        registry.guarded(f, "metric", "x")()


def test_what_cannot_be_called_is_refused_when_it_is_registered() -> None:
    value: Any = 5
    with pytest.raises(ConfigError, match=r"^register_recipe: 'x': give a function, not 5$"):
        registry.guarded(value, "recipe", "x")
