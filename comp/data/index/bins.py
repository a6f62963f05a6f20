"""Numbers in a column as classes: `data.bins: {age: [30, 60]}` makes <30, 30-59 and >=60."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence


def bin_names(edges: Sequence[float]) -> tuple[str, ...]:
    """The classes that `edges` make, from below: one more than there are edges."""
    between = [
        f"{_text(low)}-{_text(high - 1)}" if whole(low, high) else f"{_text(low)}-<{_text(high)}"
        for low, high in itertools.pairwise(edges)
    ]
    return (f"<{_text(edges[0])}", *between, f">={_text(edges[-1])}")


def whole(*numbers: float) -> bool:
    """Whether all of them are whole numbers."""
    return all(float(number).is_integer() for number in numbers)


def _text(number: float) -> str:
    return str(int(number)) if whole(number) else str(number)


def to_bins(
    cells: Sequence[str], lines: Sequence[int], edges: Sequence[float], column: str
) -> tuple[list[str], list[str]]:
    """The class of each cell, and complaints about cells that are no number.

    An edge belongs to the class above it. An empty cell stays empty: a row without a label.
    """
    names = bin_names(edges)
    out, wrong = [], []
    for cell, line in zip(cells, lines, strict=True):
        number = _number(cell)
        if number is None and cell.strip():
            wrong.append(f"line {line}: {cell!r} in {column!r} is no number (data.bins)")
        out.append("" if number is None else names[bisect.bisect_right(edges, number)])
    return out, [*wrong[:5], *([f"... and {len(wrong) - 5} more like these"] if wrong[5:] else [])]


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
