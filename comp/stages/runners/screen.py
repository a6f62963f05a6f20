"""What several processes have to say, on one screen: lines with who says them, and their bars."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from comp.core.progress import bar_console, is_quiet, new_bars, say


class Screen:
    """Shows events of `comp.core.progress.send_to`, of several processes by their labels."""

    def __init__(self, bars: Any = None) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._said: set[str] = set()

    def show(self, label: str, event: dict[str, Any]) -> None:
        """Show a line or move a bar. What another one said already is not said again."""
        if "say" in event:
            self.line(label, event["say"])
        elif "bar" in event and self._bars is not None:
            title = f"[{label}] {event['bar']}"
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(title, total=event["of"])
            self._bars.update(
                self._tasks[label], description=title, completed=event["done"], total=event["of"]
            )

    def line(self, label: str, text: str) -> None:
        """A line of the process `label`."""
        if text not in self._said:
            self._said.add(text)
            say(f"[{label}] {text}")

    def end(self, label: str) -> None:
        """Take the bar of a process away."""
        task = self._tasks.pop(label, None)
        if task is not None:
            self._bars.remove_task(task)


@contextlib.contextmanager
def open_screen() -> Iterator[Screen]:
    """A screen; with bars where this process has a terminal or a notebook for them."""
    console = None if is_quiet() else bar_console()
    if console is None:
        yield Screen()
        return
    with new_bars(console) as bars:
        yield Screen(bars)
