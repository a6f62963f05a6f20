"""Entries that users add to the tables of metrics, losses, recipes, ...: who added which.

A table is a plain dict. What is built in is in it from the start; `enter` adds an entry under the
name of its owner, a plugin file or the program itself, and `forget` takes out all of an owner.
"""

from __future__ import annotations

import contextlib
import functools
import re
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from comp.core.errors import CompError, ConfigError, reason

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

PROGRAM = "this program"  # the owner of what no plugin file registers: a notebook's cell
_owner: ContextVar[str] = ContextVar("owner", default=PROGRAM)


@dataclass(frozen=True)
class _Entry:
    table: dict[str, Any]
    name: str
    owner: str


_entries: list[_Entry] = []


@contextlib.contextmanager
def owned_by(owner: str) -> Iterator[None]:
    """Let `owner` be who registers entries while the block runs."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


def enter(table: dict[str, T], what: str, name: str, entry: T) -> None:
    """Put an entry in a table. what: the word for it in messages, such as "metric".

    A notebook may run a cell again: what the program itself has registered is replaced.
    Raises ConfigError for a name that is taken, or that is no plain word.
    """
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"register_{what}: {name!r} is no name; use letters, digits and _ . -")
    owner = _owner.get()
    before = next((e for e in _entries if e.table is table and e.name == name), None)
    if name in table and (before is None or (before.owner, owner) != (PROGRAM, PROGRAM)):
        whose = "it is built in" if before is None else f"{before.owner} has registered it"
        raise ConfigError(f"register_{what}: the name {name!r} is taken: {whose}")
    if before is not None:
        _entries.remove(before)
    table[name] = entry
    _entries.append(_Entry(table, name, owner))


def forget(owner: str) -> None:
    """Take out everything that an owner has registered."""
    for entry in [entry for entry in _entries if entry.owner == owner]:
        del entry.table[entry.name]
        _entries.remove(entry)


def guarded(
    function: F,
    what: str,
    name: str,
    error: type[CompError] = CompError,
    passes: Callable[[Exception], bool] = lambda problem: False,
) -> F:
    """A user's function, whose exceptions become an `error` that names the entry and the line.

    what: the word for the entry in messages. passes: which exceptions go through as they are;
    those of `comp` do. Raises ConfigError for what cannot be called.
    """
    if not callable(function):
        raise ConfigError(f"register_{what}: {name!r}: give a function, not {function!r}")
    owner = _owner.get()

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except CompError:
            raise
        except Exception as problem:
            if passes(problem):
                raise
            where = _place(problem, owner, function)
            text = f"{type(problem).__name__}: {reason(problem)}"
            raise error(f"{what} {name!r}{where}: {text}") from problem

    return cast(F, called)


def _place(problem: Exception, owner: str, function: Callable[..., Any]) -> str:
    """` (my_parts.py, line 3)`: the last line that ran in the plugin, or in the function's file."""
    frames = traceback.extract_tb(problem.__traceback__)
    for file in (owner, getattr(getattr(function, "__code__", None), "co_filename", None)):
        lines = [frame.lineno for frame in frames if frame.filename == file]
        if lines:
            return f" ({Path(str(file)).name}, line {lines[-1]})"
    return ""
