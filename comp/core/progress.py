"""Bars on a terminal, plain lines in a log. Messages go to stderr; stdout is for results."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_quiet = False


def be_quiet(quiet: bool) -> None:
    """Whether `say` and `track` stay silent (the option -q)."""
    global _quiet
    _quiet = quiet


def say(message: str) -> None:
    """A line for the user, on stderr."""
    if not _quiet:
        print(message, file=sys.stderr, flush=True)


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, with a bar that vanishes at the end when stderr is a terminal."""
    if _quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=what)
