"""Bars on a terminal and in a notebook, plain lines in a log.

Messages go to stderr; stdout is for results.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from comp.core.terminal import visible, with_options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

T = TypeVar("T")

Event = dict[str, object]
_EVERY = 0.25  # seconds between two reports of a bar to another process

_quiet = False
_above: Callable[[str], None] | None = None  # prints a line above a picture that stands
_noted: set[str] = set()
_elsewhere: Callable[[Event], None] | None = None


def be_quiet(quiet: bool) -> None:
    """Whether `say` and `track` stay silent (the option -q)."""
    global _quiet
    _quiet = quiet


@contextlib.contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Stay silent while the block runs, or speak; then as before."""
    before = _quiet
    be_quiet(quiet)
    try:
        yield
    finally:
        be_quiet(before)


def send_to(sink: Callable[[Event], None] | None) -> None:
    """From now on, give `sink` what `say` and `track` would show: `{"say": text}`, or `{"bar":
    text, "done": n, "of": total}`. None: show it here again. Another process shows it."""
    global _elsewhere
    _elsewhere = sink


def say(message: str) -> None:
    """A line for the user, on stderr."""
    if _elsewhere is not None:
        _elsewhere({"say": message})
        return
    if _quiet:
        return
    text = visible(with_options(message))
    if _above is not None:
        _above(text)
    else:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def drawn(above: Callable[[str], None]) -> Iterator[None]:
    """While the block runs a picture stands on the terminal or in the notebook: lines go to
    `above`, and no bar is drawn into it."""
    global _above
    before, _above = _above, above
    try:
        yield
    finally:
        _above = before


def note(message: str) -> None:
    """A line about how data are read, on stderr: once, however often a command reads them."""
    if message not in _noted and not _quiet:
        _noted.add(message)
        say(f"note: {message}")


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, with a bar that vanishes at the end where one can be shown."""
    if _elsewhere is not None:
        yield from _reported(items, total, what, _elsewhere)
        return
    console = None if _quiet or _above is not None else bar_console()
    if console is None:
        yield from items
        return
    with new_bars(console) as bar:
        yield from bar.track(items, total=total, description=what)


def new_bars(console: Console) -> Progress:
    """Bars that vanish at the end; a title is shown as it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    plain = TextColumn("{task.description}", markup=False)
    columns = (plain, BarColumn(), MofNCompleteColumn(), Remaining())
    return Progress(*columns, console=console, transient=True)


def _reported(
    items: Iterable[T], total: int, what: str, sink: Callable[[Event], None]
) -> Iterator[T]:
    last = 0.0
    for done, item in enumerate(items):
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            sink({"bar": what, "done": done, "of": total})
        yield item
    sink({"bar": what, "done": total, "of": total})


def bar_console() -> Console | None:
    """Where bars are drawn: a terminal, or a notebook that has ipywidgets; None elsewhere."""
    if not (sys.stderr.isatty() or (in_notebook() and find_spec("ipywidgets"))):
        return None
    from rich.console import Console

    return Console(stderr=True) if sys.stderr.isatty() else Console(force_jupyter=True)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def is_quiet() -> bool:
    """Whether nothing is to be said or drawn."""
    return _quiet
