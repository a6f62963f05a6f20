"""Numbers in a column as classes: `data.bins: {age: [30, 60]}` makes <30, 30-59 and >=60."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Sequence

_CODE = re.compile(r"0\d")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_UNITS = "$€£¥₩% "  # that may stand around a price or a percentage


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
        number = measure_of(cell)
        if number is None and cell.strip():
            wrong.append(f"line {line}: {cell!r} in {column!r} is no number (data.bins)")
        out.append("" if number is None else names[bisect.bisect_right(edges, number)])
    return out, [*wrong[:5], *([f"... and {len(wrong) - 5} more like these"] if wrong[5:] else [])]


_MANY = 10  # fewer different numbers may well be classes
_QUANTITIES = 20  # the same, in a column that is called like something measured
_FEW_ROWS = 2  # of each number, on average
_MEASURED = re.compile(
    r"(?<![a-z])((?:bone)?age|count|number|score|price|weight|height|width|length|depth|size|area|volume|"
    r"year|time|duration|temperature|distance|speed|percent|amount|bmi|popularity|pawpularity)s?"
    r"(?![a-z])"
)


def measured(name: str, cells: Sequence[str]) -> str | None:
    """Why the numbers in a label column look measured, and what to do; None where they may be the
    names of classes.

    They look measured where there are many: fractions, or numbers below zero; or hardly more rows
    than numbers; or a column called like a quantity. Codes such as `007` are names.
    """
    texts = {cell.strip() for cell in cells if cell.strip()}
    numbers = [measure_of(text) for text in texts]
    values = sorted({number for number in numbers if number is not None})
    if len(values) <= _MANY or None in numbers or any(_CODE.match(text) for text in texts):
        return None
    often = sum(1 for cell in cells if cell.strip()) / len(values)
    called = _MEASURED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("_", " "))
    likely = not whole(*values) or values[0] < 0 or often <= _FEW_ROWS
    if not likely and not (called and len(values) > _QUANTITIES):
        return None
    rows = sorted(number for cell in cells if (number := measure_of(cell)) is not None)
    edges = sorted({rows[len(rows) // 3], rows[2 * len(rows) // 3]} - {values[0]})
    shown = ", ".join(_text(edge) for edge in edges)
    return (
        f"column {name!r} holds {len(values)} different numbers in {len(rows)} rows: something "
        "measured. Predict it with task: regression; or make classes of ranges: data.bins: "
        f"{{{name}: [{shown}]}}; or, if the numbers are names of classes, data.numbers: classes"
    )


def _plain(cell: str) -> str:
    """A cell without its unit, and without the commas between thousands."""
    text = cell.strip(_UNITS + "\t")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def measure_of(cell: str) -> float | None:
    """The finite number in a cell, without its unit and the commas between thousands, or None."""
    try:
        number = float(_plain(cell))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
