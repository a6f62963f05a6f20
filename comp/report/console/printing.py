"""One way to print a result: a table on stdout, or JSON for a script."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from comp.core.terminal import json_text, visible

MANY_CLASSES = 40  # rows of a table; more are left out
_WIDTH = 120  # columns of text where stdout is not a terminal
_WIDEST = 10_000

Cell = str | Text


def print_json(value: Any) -> None:
    """Any plain value as indented JSON; letters that stdout lacks are escaped."""
    print(json_text(value))


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    text: int = 1,
    notes: int = 0,
    bold_rows: Sequence[int] = (),
) -> None:
    """A table with these column names; nothing where there are no rows.

    rows: each as long as `heads`; what is in a cell is shown as it is: brackets are no markup, and
    control characters are written out. text: how many columns at the
    left are text; notes: how many at the right. The others are numbers, and never broken into
    lines: where the terminal is too narrow for them, the terminal breaks them. bold_rows: the
    numbers of the rows that are in bold.
    """
    if not rows:
        return
    table = Table()
    for place, name in enumerate(heads):
        number = text <= place < len(heads) - notes
        side: Literal["left", "right"] = "right" if number else "left"
        table.add_column(_cell(name), justify=side, no_wrap=number, overflow="fold")
    for place, row in enumerate(rows):
        table.add_row(*map(_cell, row), style="bold" if place in bold_rows else None)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    unbroken = Measurement.get(console, console.options.update(width=_WIDEST), table).minimum
    console.width = max(console.width, unbroken)
    console.print(table)


def _cell(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(visible(cell, lines=False))


def bold(text: str) -> Text:
    """A cell in bold."""
    return Text(visible(text, lines=False), style="bold")


def shortened(names: Sequence[str], shown: int = 20) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"
