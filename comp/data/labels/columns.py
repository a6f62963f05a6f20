"""Label columns with zeros and ones, or numbers: what their cells say, and what the columns mean.

A cell is one where it says 1, 1.0, true, yes; zero where it says 0, 0.0, false, no. Other cells are
blank, unknown by `data.unknown`, or a share.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.tasks.counts import UNKNOWN

Array = np.ndarray[Any, Any]

_WORDS = {"false": 0, "f": 0, "no": 0, "n": 0, "true": 1, "t": 1, "yes": 1, "y": 1}
_BLANK = {"", "nan", "na", "n/a", "null", "none", "<na>"}  # what tables have where nothing is
_COMMA = re.compile(r"[-+]?\d+,\d+")
_SAME = 0.02  # sums of shares may differ by this from each other
_NEARLY = 0.8  # of the rows have one 1: the columns are meant to be one-hot


def number_of(cell: str) -> float | None:
    """The finite number in a cell, with a point or a comma; None where it is none."""
    text = cell.strip()
    if "_" in text:
        return None
    try:
        number = float(text.replace(",", ".") if _COMMA.fullmatch(text) else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def share_in(cell: str) -> float | None:
    """The number in a cell, where `70%` is 0.7; None where it is none."""
    text = cell.strip()
    if not text.endswith("%"):
        return number_of(text)
    number = number_of(text[:-1])
    return None if number is None else number / 100


def zero_or_one(cell: str) -> int | None:
    """0 or 1 where a cell says so, else None."""
    text = cell.strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    number = number_of(text)
    return int(number) if number in (0, 1) else None


def is_blank(cell: str) -> bool:
    """Whether a cell says nothing."""
    return cell.strip().lower() in _BLANK


def means(cell: str, texts: Sequence[str]) -> bool:
    """Whether a cell is one of these texts, or the same number as one."""
    text, number = cell.strip().lower(), number_of(cell)
    return any(
        text == other.strip().lower() or (number is not None and number == number_of(other))
        for other in texts
    )


@dataclass(frozen=True)
class ZeroOne:
    """What columns of zeros and ones say.

    `target`      (N, C) int64 of 0, 1 and UNKNOWN; None with complaints
    `shares`      (N, C) float32 as in the table, by `data.soft: learn`; else None
    `complaints`  cells that cannot be read, and what can be done
    `notes`       how cells were read that are not plainly 0 or 1
    """

    target: Array | None
    complaints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shares: Array | None = None


def read_zero_one(
    columns: Mapping[str, Sequence[str]], lines: Sequence[int], data: DataConfig
) -> ZeroOne:
    """The cells of these columns by `data.blank`, `data.unknown` and `data.soft`."""
    found: Counter[str] = Counter()
    for cells in columns.values():
        found.update(cells)
    value = {cell: _value(cell, data) for cell in found}
    complaints = []
    for name, cells in columns.items():
        wrong = {cell for cell in set(cells) if value[cell] is None}
        if wrong:
            at = [line for cell, line in zip(cells, lines, strict=True) if cell in wrong]
            complaints.append(
                f"column {name!r}: {len(at)} cells are neither 0 nor 1: "
                f"{first(sorted(wrong), 3)} on lines {first(at)}"
            )
    if complaints:
        return ZeroOne(None, (*complaints, *_ways_out([c for c in found if value[c] is None])))
    target = [[value[cell] for cell in cells] for cells in columns.values()]
    notes = tuple(_notes(found, value))
    labels = np.array(target, dtype=np.int64).reshape(len(columns), -1).T
    if data.soft != "learn":
        return ZeroOne(labels, (), notes)
    exact = {cell: _share(cell, number) for cell, number in value.items()}
    shares = np.array([[exact[cell] for cell in cells] for cells in columns.values()], np.float32)
    return ZeroOne(labels, (), notes, shares.reshape(len(columns), -1).T)


def _value(cell: str, data: DataConfig) -> int | None:
    if means(cell, data.unknown):
        return UNKNOWN
    said = zero_or_one(cell)
    if said is not None:
        return said
    if is_blank(cell):
        return {"zero": 0, "unknown": UNKNOWN, "refuse": None}[data.blank]
    share = share_in(cell)
    if data.soft in ("round", "learn") and share is not None and 0 <= share <= 1:
        return int(share >= 0.5)
    return None


def _share(cell: str, number: int | None) -> float:
    """What the loss learns of a cell that is read as 0, 1 or unknown."""
    share = share_in(cell)
    return float(number or 0) if number == UNKNOWN or share is None else share


def _ways_out(cells: Sequence[str]) -> list[str]:
    """What can be done about cells that are neither zero nor one."""
    numbers = [share_in(cell) for cell in cells]
    out = []
    if any(map(is_blank, cells)):
        out.append(
            "blank cells: set data.blank to zero (no label), or to unknown (nobody said: no loss "
            "and no score)"
        )
    if any(number is not None and number < 0 for number in numbers):
        below = sorted({c.strip() for c, n in zip(cells, numbers, strict=True) if n and n < 0})
        out.append(
            f"numbers below 0: if they say that nobody knows, data.unknown: {below}; such cells "
            "cost no loss and no score"
        )
    if any(number is not None and 0 < number < 1 for number in numbers):
        out.append(
            "shares between 0 and 1: data.soft: round makes 0.5 and more a 1, less a 0; learn "
            "gives the shares to the loss too"
        )
    return out


def _notes(found: Counter[str], value: Mapping[str, int | None]) -> list[str]:
    said: dict[int, list[str]] = {0: [], 1: [], UNKNOWN: []}
    for cell in sorted(found):
        number = value[cell]
        if number is not None and cell not in ("0", "1"):
            said[number].append(cell)
    out = [
        f"{first(cells, 4)} in the label columns {'is' if len(cells) == 1 else 'are'} read as "
        f"{number}"
        for number, cells in said.items()
        if cells and number != UNKNOWN
    ]
    if said[UNKNOWN]:
        count = sum(found[cell] for cell in said[UNKNOWN])
        out.append(
            f"{count} cells of the label columns ({first(said[UNKNOWN], 4)}) are unknown: they "
            "cost no loss and no score"
        )
    return out


@dataclass(frozen=True)
class OneOfColumns:
    """What several columns of a task with one class per image mean.

    `number`      (N,) int64 the column that is the class of each row; None: the cells are joined
    `shares`      (N, columns) float32 that sum to 1, by `data.soft: learn`; else None
    """

    number: Array | None = None
    complaints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shares: Array | None = None


def one_of_columns(columns: Mapping[str, Sequence[str]], data: DataConfig) -> OneOfColumns:
    """Whether the columns are the classes: each row has one 1, or by `data.soft` the largest."""
    known = {cell: zero_or_one(cell) for cells in columns.values() for cell in set(cells)}
    blank = {cell: 0 for cell in known if is_blank(cell)}  # beside the one 1 of a row: a zero
    if any(known.values()) and None not in {**known, **blank}.values():
        known |= blank
    if None not in known.values():
        table = np.array([[known[cell] for cell in cells] for cells in columns.values()])
        return _one_hot(table.T, columns, bool(blank))
    numbers = {cell: share_in(cell) for cell in known}
    if any(number is None or number < 0 for number in numbers.values()):
        if data.soft in ("argmax", "learn"):
            odd = sorted(c for c, n in numbers.items() if n is None or n < 0)
            return OneOfColumns(None, (f"data.soft: not numbers of 0 and more: {first(odd)}",))
        return OneOfColumns()
    rows = [[numbers[cell] for cell in cells] for cells in columns.values()]
    return _soft(np.array(rows, dtype=np.float64).T, columns, data)


def _one_hot(table: Array, columns: Mapping[str, Sequence[str]], blank: bool) -> OneOfColumns:
    ones = table.sum(axis=1)
    if len(ones) and (ones == 1).all():
        note = f"the columns {first(columns)} are read as the classes: each row has one 1"
        note += ", and blank cells beside it" * blank
        return OneOfColumns(table.argmax(axis=1), (), (note,))
    share = float((ones == 1).mean()) if len(ones) else 0.0
    if len(columns) > 2 and share >= _NEARLY:
        note = (
            f"the columns {first(columns)} are joined into one class. In {share:.0%} of the rows "
            "exactly one is 1: if the columns are the classes, mend the other rows, or use task: "
            "multilabel"
        )
        return OneOfColumns(None, (), (note,))
    return OneOfColumns()


def _soft(table: Array, columns: Mapping[str, Sequence[str]], data: DataConfig) -> OneOfColumns:
    """Probabilities or votes of the classes."""
    sums = table.sum(axis=1)
    largest = table.max(axis=1)
    if data.soft in ("argmax", "learn"):
        ties = int(((table == largest[:, None]).sum(axis=1) > 1).sum())
        note = f"the class of an image is the largest of the columns {first(columns)}"
        more = f"; of equal ones the first, in {ties} rows" if ties else ""
        if data.soft == "argmax":
            return OneOfColumns(table.argmax(axis=1), (), (note + more,))
        if not (sums > 0).all():
            lost = f"data.soft: learn: {int((sums <= 0).sum())} rows have no share above 0"
            return OneOfColumns(None, (lost,))
        notes = (note + more, "the loss learns the shares, each row divided by its sum")
        shares = (table / sums[:, None]).astype(np.float32)
        return OneOfColumns(table.argmax(axis=1), (), notes, shares)
    middle = float(np.median(sums)) if len(sums) else 0.0
    if middle > 0 and (np.abs(sums - middle) <= _SAME * middle).all():
        return OneOfColumns(
            None,
            (
                f"the columns {first(columns)} are shares of the classes: they sum to "
                f"{middle:.4g} in each row. data.soft: learn gives them to the loss, with the "
                "largest as the class; argmax keeps the largest alone",
            ),
        )
    return OneOfColumns()
