"""One way to print a result: a table on stdout, or JSON for a script."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 120  # columns of text where stdout is not a terminal

Cell = str | Text


def print_json(value: Any) -> None:
    """Any plain value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    text: int = 1,
    wide: Sequence[str] = (),
    bold_rows: Sequence[int] = (),
) -> None:
    """A table with these column names; nothing where there are no rows.

    rows: each as long as `heads`; brackets in a cell are no markup. text: how many columns are
    text, on the left side; the others are numbers. wide: names of other columns that may be broken
    into lines. bold_rows: which rows are in bold.
    """
    if not rows:
        return
    table = Table()
    for place, name in enumerate(heads):
        number = place >= text
        table.add_column(
            name,
            justify="right" if number else "left",
            no_wrap=number and name not in wide,
            overflow="fold",
        )
    for place, row in enumerate(rows):
        cells = (cell if isinstance(cell, Text) else Text(cell) for cell in row)
        table.add_row(*cells, style="bold" if place in bold_rows else None)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def bold(text: str) -> Text:
    """A cell in bold."""
    return Text(text, style="bold")


def shortened(names: Sequence[str], shown: int = 20) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"
