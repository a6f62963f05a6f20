"""How two submissions differ: which rows, and from which class to which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comp.core.errors import SubmissionError, complain, first
from comp.data.index.tables import Table, read_table


@dataclass(frozen=True)
class Diff:
    """Two submissions of the same ids.

    `rows`     how many ids there are
    `ids`      those whose answers differ, in the order of the first file
    `changes`  (column, cell in the first, cell in the second) -> rows, the most frequent first
    `numbers`  column -> (mean, largest) absolute difference, for columns of numbers that are not
               only 0 and 1; such columns are not in `changes`
    """

    rows: int
    ids: tuple[str, ...]
    changes: dict[tuple[str, str, str], int]
    numbers: dict[str, tuple[float, float]]


def compare_files(first_path: Path, second_path: Path, id_column: str | None = None) -> Diff:
    """The differences between two submissions, joined by id.

    The ids are in `id_column`, or in the first column without that one. Raises SubmissionError for
    other columns or other ids, DataError for what is no table.
    """
    one, two = read_table(first_path), read_table(second_path)
    key = id_column if id_column in one.columns else one.columns[0]
    _check_same(one, two, str(key))
    place = {name: row for row, name in enumerate(two.values[key])}
    order = [place[name] for name in one.values[key]]
    changes: Counter[tuple[str, str, str]] = Counter()
    numbers = {}
    differ = np.zeros(len(order), dtype=bool)
    for column in [name for name in one.columns if name != key]:
        old, new = one.values[column], [two.values[column][row] for row in order]
        unlike = np.array([a != b for a, b in zip(old, new, strict=True)], dtype=bool)
        differ |= unlike
        gap = _gap(old, new)
        if gap is not None:
            numbers[column] = gap
            continue
        rows = np.flatnonzero(unlike)
        changes.update((column, old[row], new[row]) for row in rows)
    ids = tuple(one.values[key][row] for row in np.flatnonzero(differ))
    return Diff(len(order), ids, dict(changes.most_common()), numbers)


def _check_same(one: Table, two: Table, key: str) -> None:
    heading = f"{one.path} and {two.path} cannot be compared:"
    other = sorted({*one.columns} ^ {*two.columns})
    complain(SubmissionError, heading, [f"columns of one only: {first(other)}"] if other else [])
    sets = set(one.values[key]), set(two.values[key])
    pairs = ((one, sets[0] - sets[1]), (two, sets[1] - sets[0]))
    complaints = [
        f"{len(ids)} ids of {t.path} only: {first(sorted(ids))}" for t, ids in pairs if ids
    ]
    twice = [str(t.path) for t, ids in zip((one, two), sets, strict=True) if len(ids) < len(t)]
    complaints += [f"ids repeated in {path}" for path in twice]
    complain(SubmissionError, heading, complaints)


def _gap(old: list[str], new: list[str]) -> tuple[float, float] | None:
    """Mean and largest absolute difference of two columns of numbers; None where they are labels:
    whole numbers, or no numbers at all."""
    try:
        a, b = np.array(old, dtype=float), np.array(new, dtype=float)
    except ValueError:
        return None
    if not len(a) or ((a == a.round()).all() and (b == b.round()).all()):
        return None
    return float(np.abs(a - b).mean()), float(np.abs(a - b).max())
