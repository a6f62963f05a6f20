"""Several labels in one cell: `cat;dog`, or a list written as text: `['cat', 'dog']`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_ESCAPED = re.compile(r"\\(.)")


def are_lists(cells: Sequence[str]) -> bool:
    """Whether all cells that hold something are lists written as text."""
    some = [cell.strip() for cell in cells if cell.strip()]
    return bool(some) and all(_BRACKETS.get(cell[0]) == cell[-1] and cell[1:] for cell in some)


def split_cells(cells: Sequence[str], separator: str | None) -> list[list[str]]:
    """The labels in each cell; none in a blank one and in `[]`.

    Lists written as text are read as such; others are cut at the separator.
    """
    if are_lists(cells):
        return [_items(cell.strip(), separator) if cell.strip() else [] for cell in cells]
    return [
        [item.strip() for item in cell.split(separator)] if cell.strip() else [] for cell in cells
    ]


def _items(cell: str, separator: str | None) -> list[str]:
    """The items of a list as Python, JSON, NumPy or PostgreSQL write it."""
    try:
        read = json.loads(cell)
        if isinstance(read, list) and all(isinstance(item, str) for item in read):
            return [item.strip() for item in read]
    except ValueError:
        pass
    inside = cell[1:-1].strip().removesuffix(",")
    quoted = [_ESCAPED.sub(r"\1", a or b).strip() for a, b in _QUOTED.findall(inside)]
    if quoted and not _QUOTED.sub("", inside).strip(f" ,{separator or ''}"):
        return quoted
    return [item.strip(" '\"") for item in inside.split(separator or ",")] if inside else []
