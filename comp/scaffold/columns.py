"""What the columns of an unknown table seem to be: id, label, group. Guesses, with the doubts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comp.data.index.tables import Table

_LABELS = ("label", "target", "class", "category", "y", "answer", "digit", "diagnosis", "tags")
_GROUPS = ("group", "patient", "student", "subject", "person", "user", "site", "video", "session")
_SEPARATORS = ("|", ";", ",", " ")
_FEW = 0.5  # of the rows: a label column has no more different values


@dataclass(frozen=True)
class Answer:
    """The label columns and the task that they make; `doubts`: what was not clear."""

    columns: tuple[str, ...]
    task: str
    separator: str | None = None
    doubts: tuple[str, ...] = ()


def id_column(table: Table, matches: Callable[[Sequence[str]], float]) -> tuple[str, float]:
    """The column that names images, and the share of its cells that do. matches: cells -> share."""
    best, share = table.columns[0], -1.0
    for name in table.columns:
        cells = table.values[name]
        unique = len(set(cells)) / max(1, len(cells))
        found = matches(_some(cells)) * (0.5 + unique / 2)
        if found > share + 1e-9:
            best, share = name, found
    return best, share


def _some(cells: Sequence[str], most: int = 200) -> list[str]:
    step = max(1, len(cells) // most)
    return [*dict.fromkeys(cells[::step])][:most]


def answer(table: Table, identity: str, sample: Table | None) -> Answer:
    """The label columns of a training table: those of the sample submission, or by their names."""
    rest = [name for name in table.columns if name != identity]
    shared = [name for name in (sample.columns if sample else ()) if name in rest]
    if len(shared) > 1 and all(_is_binary(table.values[name]) for name in shared):
        return Answer(tuple(shared), "multilabel")
    if len(shared) > 1:
        return Answer(tuple(shared), "multiclass", doubts=("several columns are joined",))
    if len(shared) == 1:
        return _one(table, shared[0], ())
    wide = [name for name in rest if _is_binary(table.values[name])]
    if len(wide) > 2 and len(wide) >= len(rest) - 1:
        return Answer(tuple(wide), "multilabel", doubts=("all columns of zeros and ones",))
    named = [name for name in rest if _is_called(name, _LABELS)]
    small = [name for name in rest if 1 < len(set(table.values[name])) <= _FEW * len(table)]
    pick = (named or [name for name in small if not _is_called(name, _GROUPS)] or rest or [""])[-1]
    if not pick:
        return Answer((), "multiclass", doubts=("no column besides the ids",))
    sure = named == [pick] or rest == [pick]
    return _one(table, pick, () if sure else (f"one of the columns {', '.join(rest)}",))


def _is_called(name: str, words: Sequence[str]) -> bool:
    parts = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return bool({*parts} & {*words, *(f"{word}s" for word in words)})


def _is_binary(cells: Sequence[str]) -> bool:
    return set(cells) <= {"0", "1"}


def _one(table: Table, name: str, doubts: tuple[str, ...]) -> Answer:
    """The task of a single label column."""
    cells = table.values[name]
    separator = separator_of(cells)
    if separator is not None:
        told = f"{name!r} looks like a list, cut at {separator!r}"
        return Answer((name,), "multilabel", separator, (*doubts, told))
    count = len({cell for cell in cells if cell.strip()})
    if count > _FEW * max(2, len(cells)):
        doubts = (*doubts, f"{name!r} has {count} different values: is it a measure, not a class?")
    return Answer((name,), "binary" if count == 2 else "multiclass", None, doubts)


def separator_of(cells: Sequence[str]) -> str | None:
    """What cuts the cells of a column into labels that come back in other cells, or None."""
    for separator in _SEPARATORS:
        lists = [[item.strip() for item in cell.split(separator)] for cell in cells if cell.strip()]
        several = [items for items in lists if len(items) > 1]
        if len(several) < max(2, len(lists) // 20):
            continue
        if any("" in items or len({*items}) < len(items) for items in several):
            continue
        counts = Counter(item for items in lists for item in items)
        again = sum(all(counts[item] > 1 for item in items) for items in several)
        mixed = len({tuple(sorted(items)) for items in several}) > len(counts) / 4
        if again > 0.8 * len(several) and len(counts) < len({*cells}) + 2 and mixed:
            return separator
    return None


def group_column(table: Table, taken: Sequence[str]) -> tuple[str | None, str]:
    """The column that seems to group images, or None; and the doubt about it."""
    for name in table.columns:
        count = len(set(table.values[name]))
        if name not in taken and _is_called(name, _GROUPS) and 1 < count < len(table):
            return name, f"{count} groups in {len(table)} rows, by its name"
    for name in table.columns:
        count = len(set(table.values[name]))
        if name not in taken and len(table) / 50 < count <= len(table) / 2 and count > 4:
            return None, f"{name!r} with {count} values might be one"
    return None, ""
