"""Guesses about the columns of a table: id, labels, group, each with its doubts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from comp.data.index.tables import Table
from comp.data.labels.bins import measured
from comp.data.labels.lists import are_lists, split_cells
from comp.scaffold.label_columns import LabelColumns
from comp.scaffold.long_labels import rows_of_classes, rows_of_labels
from comp.scaffold.wide_labels import is_zero_one, shares_of_classes, wide_labels
from comp.tasks.starters import kind_of

_LABELS = ("label", "target", "class", "category", "y", "answer", "digit", "diagnosis", "tags")
_GROUPS = ("group", "patient", "student", "subject", "person", "user", "site", "video", "session")
_GRADES = ("grade", "level", "severity", "stage", "diagnosis", "rating", "star", "score", "degree")
_SEPARATORS = ("|", ";", ",", " ")
_FEW = 0.5  # a label column has at most this share of different values among its rows


def id_column(
    table: Table, matches: Callable[[Sequence[str]], float], likely: Sequence[str] = ()
) -> tuple[str, float]:
    """The column of image ids, and the share of its cells that name an image.

    matches: cells -> the share of them that name an image, in [0, 1]. likely: columns that are
    taken of equal ones; row numbers, for images that are called by numbers, are not.
    """
    best, share = table.columns[0], -1.0
    for name in sorted(table.columns, key=lambda n: (n not in likely, _counted(table.values[n]))):
        cells = table.values[name]
        unique = len(set(cells)) / max(1, len(cells))
        found = matches(_some(cells)) * (0.5 + unique / 2)
        if found > share + 1e-9:
            best, share = name, found
    return best, share


def _counted(cells: Sequence[str]) -> bool:
    """Whether cells are the numbers of their rows."""
    return any([*cells] == [str(n + start) for n in range(len(cells))] for start in (0, 1))


def _some(cells: Sequence[str], most: int = 200) -> list[str]:
    step = max(1, len(cells) // most)
    return [*dict.fromkeys(cells[::step])][:most]


def label_columns(table: Table, key: str, sample: Table | None) -> LabelColumns:
    """The label columns of a training table: those of the sample submission, or by their names.

    key: the column of ids.
    """
    rest = [name for name in table.columns if name != key]
    shared = [name for name in (sample.columns if sample else ()) if name in rest]
    if len(shared) > 1:
        if all(measured(name, table.values[name]) for name in shared):
            return LabelColumns(tuple(shared), kind_of("numbers"))
        joined = LabelColumns(tuple(shared), kind_of("class"), doubts=("the columns are joined",))
        return rows_of_classes(table, key) or wide_labels(table, shared) or joined
    wide = _several(table, rest, sample)
    if wide is not None and not shared:
        return wide
    if len({*table.values[key]}) < len(table):
        long = rows_of_classes(table, key)
        if long is not None:
            return long
    if len(shared) == 1:
        return _one(table, key, shared[0], ())
    named = [name for name in rest if _is_called(name, _LABELS)]
    small = [name for name in rest if 1 < len(set(table.values[name])) <= _FEW * len(table)]
    chosen = (named or [name for name in small if not _is_called(name, _GROUPS)] or rest or [""])[
        -1
    ]
    if not chosen:
        return LabelColumns((), kind_of("class"), doubts=("no column besides the ids",))
    sure = named == [chosen] or rest == [chosen]
    return _one(table, key, chosen, () if sure else (f"one of the columns {', '.join(rest)}",))


def _several(table: Table, rest: Sequence[str], sample: Table | None) -> LabelColumns | None:
    """Columns of zeros and ones, or of shares, that are labels together."""
    wide = [name for name in rest if is_zero_one(table.values[name])]
    answers = sample.columns[1:] if sample else ()
    cells = {cell for name in answers for cell in (sample.values[name] if sample else ())}
    if len(wide) > 1 and cells and cells <= {*wide}:  # the sample names classes
        return wide_labels(table, wide)
    if len(wide) > 2:
        found = wide_labels(table, wide)
        most = len(wide) >= len(rest) - 1
        if found is not None and (most or found.task.target_kind == "class"):
            doubts = found.doubts or ("all columns of 0 and 1",)
            return replace(found, doubts=doubts)
    shares = shares_of_classes(table, rest)
    return wide_labels(table, shares) if shares else None


def _is_called(name: str, words: Sequence[str]) -> bool:
    parts = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return bool({*parts} & {*words, *(f"{word}s" for word in words)})


def _one(table: Table, key: str, name: str, doubts: tuple[str, ...]) -> LabelColumns:
    """A single label column and its kind of task."""
    cells = table.values[name]
    if are_lists(cells):
        several = any(len(items) != 1 for items in split_cells(cells, None))
        text = f"{name!r} holds lists written as text" + ("" if several else ", each of one label")
        kind = kind_of("columns") if several else kind_of("class", len({*cells}))
        return LabelColumns((name,), kind, None, (*doubts, text))
    separator = separator_of(cells)
    if separator is not None:
        doubts = (*doubts, f"{name!r} looks like a list of labels, joined by {separator!r}")
        return LabelColumns((name,), kind_of("columns"), separator, doubts)
    long = rows_of_labels(table, key, name)
    if long is not None:
        return replace(long, doubts=(*doubts, *long.doubts))
    why = measured(name, cells)
    count = len({cell for cell in cells if cell.strip()})
    if why is not None:
        text = f"{name!r} holds many numbers: predicted as numbers. For classes: data.bins"
        return LabelColumns((name,), kind_of("numbers"), None, (*doubts, text))
    if count > _FEW * max(2, len(cells)):
        doubts = (*doubts, f"{name!r} has {count} different values: are they classes?")
    elif count > 2 and _is_called(name, _GRADES) and _in_steps(cells):
        doubts = (*doubts, f"if {name!r} is a grade: task: ordinal, metric: qwk")
    return LabelColumns((name,), kind_of("class", count), None, doubts)


def _in_steps(cells: Sequence[str]) -> bool:
    """Whether the cells are whole numbers, each from the lowest to the highest."""
    found = {cell.strip() for cell in cells if cell.strip()}
    if not all(cell.isdecimal() for cell in found):
        return False
    numbers = sorted(map(int, found))
    return numbers == list(range(numbers[0], numbers[0] + len(found)))


def separator_of(cells: Sequence[str]) -> str | None:
    """What joins the labels in the cells of a column, or None for a column of single labels.

    Labels are recognised by occurring in several cells, in different combinations.
    """
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
    """The column whose equal values mark images that belong together, or None; and the doubt."""
    for name in table.columns:
        count = len(set(table.values[name]))
        if name not in taken and _is_called(name, _GROUPS) and 1 < count < len(table):
            return name, f"{count} groups in {len(table)} rows; guessed by the name of the column"
    for name in table.columns:
        count = len(set(table.values[name]))
        if name not in taken and len(table) / 50 < count <= len(table) / 2 and count > 4:
            return None, f"{name!r} with {count} different values may be one"
    return None, ""
