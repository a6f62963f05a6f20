"""From text cells to targets: which classes there are, and which of them each row has."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.config.schema import JOINT, DataConfig
from comp.core.errors import did_you_mean, first
from comp.core.progress import note
from comp.data.index.tables import Table
from comp.data.labels.bins import bin_names, measured, to_bins
from comp.data.labels.columns import means, one_of_columns, read_zero_one
from comp.data.labels.lists import are_lists, split_cells
from comp.data.labels.numbers import read_numbers
from comp.data.labels.part_labels import read_parts
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task

_FOR_CLASSES = ("rename", "blank", "unknown", "soft")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


@dataclass(frozen=True)
class Labels:
    """What a table says of each row.

    `classes`     the class names; of two, the last is the positive one
    `target`      int64: (N,) class numbers, or (N, C) zeros and ones, UNKNOWN where nobody said;
                  or (N, C) float64 numbers; None with complaints
    `complaints`  what cannot be right
    `texts`       (N,) the label of each row as text, for messages
    `shares`      (N, C) float32 what the loss learns in the place of the target, in the order of
                  the classes (`data.soft: learn`); else None
    """

    classes: tuple[str, ...]
    target: np.ndarray[Any, Any] | None
    complaints: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    shares: np.ndarray[Any, Any] | None = None


def sort_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Each name once: numbers by value when all of them are numbers, else as text."""
    unique = set(names)
    if all(_NUMBER.fullmatch(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (float(name), name)))
    return tuple(sorted(unique))


def read_labels(
    table: Table, data: DataConfig, task: Task, known: tuple[str, ...] | None = None
) -> Labels:
    """The labels in the columns `data.target` of a table with a row for each image.

    known: the classes of the training table, for a table of answers, which need not have them all;
    without it, `data.classes` or the sorted labels are the classes.
    """
    if task.link.parts:
        names, target, wrong = read_parts(table, data, task, read_labels, answers=known is not None)
        return Labels(names, target, tuple(wrong), () if target is None else _number_texts(target))
    complaints = _columns(table, data, task)
    if complaints:
        return Labels((), None, tuple(complaints))
    if task.link.measures:
        return _measures(table, data, known)
    if task.target_ndim == 1:
        return _one_each(table, data, task, known)
    if len(data.target) == 1 and _is_list(table, data):
        return _listed(table, data, known)
    return _zeros_and_ones(table, data, known)


def _measures(table: Table, data: DataConfig, known: tuple[str, ...] | None) -> Labels:
    names = known or data.target
    complaints = _same_names(data.classes or names, names)
    complaints += [
        f"data.{key}: is for classes; task: regression has numbers. Leave it out"
        for key in _FOR_CLASSES
        if getattr(data, key) != DataConfig.model_fields[key].get_default(call_default_factory=True)
    ]
    target, wrong = read_numbers(table, data, known)
    if complaints or wrong:
        return Labels(names, None, (*complaints, *wrong))
    return Labels(names, target, (), _number_texts(target))


def _number_texts(target: np.ndarray[Any, Any]) -> tuple[str, ...]:
    return tuple("|".join(map(repr, row)) for row in target.tolist())


def _is_list(table: Table, data: DataConfig) -> bool:
    return data.separator is not None or are_lists(table.values[data.target[0]])


def _one_each(table: Table, data: DataConfig, task: Task, known: tuple[str, ...] | None) -> Labels:
    """One class for each row: of one column, of several that are joined, or of columns that are
    the classes."""
    columns = {name: table.values[name] for name in data.target}
    if len(columns) > 1 and not data.bins and (known is None or {*known} == {*columns}):
        found = one_of_columns(columns, data)
        _tell(table, found.notes)
        if found.complaints:
            return Labels((), None, found.complaints)
        if found.number is not None:
            return _of_columns(found.number, data, task, known, found.shares)
    table, complaints = _single_items(table, data)
    table, renaming = _renamed(table, data, known)
    table, binning = _binned(table, data)
    complaints += [*renaming, *binning, *_measured(table, data, known)]
    if complaints:
        return Labels((), None, tuple(complaints))
    texts = _joined(table, data)
    given = data.classes or (_by_bins(texts, table, data) if data.bins else ())
    return number(texts, table.lines, task, given, known)


def _tell(table: Table, notes: Sequence[str]) -> None:
    for text in notes:
        note(f"{table.path}: {text}")


def _of_columns(
    place: np.ndarray[Any, Any],
    data: DataConfig,
    task: Task,
    known: tuple[str, ...] | None,
    shares: np.ndarray[Any, Any] | None,
) -> Labels:
    """The labels where each row has the class of one column. A class may have no row: its column
    says that it exists."""
    classes = known or data.classes or data.target
    complaints = _same_names(classes, data.target)
    present = [data.target[column] for column in np.unique(place)]
    if known is None:
        complaints += _learnable(task, present, data.target)
    if complaints:
        return Labels(classes, None, tuple(complaints))
    order = np.array([classes.index(name) for name in data.target], dtype=np.int64)
    texts = tuple(data.target[column] for column in place)
    if shares is not None:
        shares = shares[:, np.argsort(order)]
    return Labels(classes, order[place], (), texts, shares)


def _single_items(table: Table, data: DataConfig) -> tuple[Table, list[str]]:
    """The table with `['cat']` read as `cat`, where its one label column holds lists."""
    name = data.target[0]
    cells = table.values[name]
    if len(data.target) > 1 or not are_lists(cells):
        return table, []
    lists = split_cells(cells, None)
    several = [line for items, line in zip(lists, table.lines, strict=True) if len(items) > 1]
    if several:
        return table, [
            f"column {name!r} holds lists, {len(several)} of them of several labels (lines "
            f"{first(several)}): use task: multilabel"
        ]
    note(f"{table.path}: the lists of one label in {name!r} are read as labels")
    return table.but(**{name: [items[0] if items else "" for items in lists]}), []


def _renamed(
    table: Table, data: DataConfig, known: tuple[str, ...] | None
) -> tuple[Table, list[str]]:
    """The table with the labels of `data.rename`."""
    if not data.rename:
        return table, []
    columns = {name: table.values[name] for name in data.target}
    complaints = _unused(data, {cell for cells in columns.values() for cell in cells}, known)
    changed = {
        name: [data.rename.get(cell, cell) for cell in cells] for name, cells in columns.items()
    }
    return table.but(**changed), complaints


def _unused(data: DataConfig, labels: set[str], known: tuple[str, ...] | None) -> list[str]:
    """Complaints about names in `data.rename` that no label has."""
    lost = [name for name in data.rename if name not in labels and known is None]
    return [f"data.rename: no label is {name!r}.{did_you_mean(name, labels)}" for name in lost]


def _measured(table: Table, data: DataConfig, known: tuple[str, ...] | None) -> list[str]:
    """Complaints about label columns whose numbers look measured."""
    if known is not None or data.classes or data.numbers == "classes":
        return []
    columns = [name for name in data.target if name not in data.bins]
    found = [measured(name, table.values[name]) for name in columns]
    return [text for text in found if text is not None]


def _columns(table: Table, data: DataConfig, task: Task) -> list[str]:
    if not data.target:
        return [f"data.target names no column; the columns are {first(table.columns, 12)}"]
    out = [table.no_column(name) for name in data.target if name not in table.values]
    if len(set(data.target)) < len(data.target):
        out.append(f"data.target names a column twice: {first(data.target, 30)}")
    stray = [name for name in data.bins if name not in data.target]
    if stray:
        out.append(f"data.bins: {first(stray)} is no column of data.target: {first(data.target)}")
    if data.bins and task.target_ndim != 1:
        out.append(f"data.bins makes one class per image; task: {task.name} has 0/1 columns")
    if data.id in data.target:
        out.append(f"data.target holds the id column {data.id!r}")
    if data.separator is not None and (task.target_ndim == 1 or len(data.target) > 1):
        out.append(
            "data.separator is for a multilabel task with a single column, not for "
            f"task: {task.name} with {len(data.target)} columns; set it to null"
        )
    if data.soft == "learn" and task.target_ndim == 1 and len(data.target) == 1:
        out.append("data.soft: learn needs a column of shares for each class in data.target")
    only = {"argmax": 1, "round": 2}.get(data.soft, task.target_ndim)
    if only != task.target_ndim:
        other = {"argmax": "round", "round": "argmax"}[data.soft]
        out.append(f"data.soft: {data.soft} is not for task: {task.name}; use {other}")
    if task.target_ndim == 1 and (data.unknown or data.blank != "refuse"):
        out.append(
            f"data.unknown, data.blank: for task: multilabel only; with task: {task.name} an image "
            "without a label cannot be trained on. Take its row out of the table"
        )
    if data.separator == "":
        out.append("data.separator is empty; give the text between two labels")
    if len(data.target) > 1 and task.target_ndim == 1:
        known = [name for name in data.target if name in table.values]
        mixed = [name for name in known if any(JOINT in cell for cell in set(table.values[name]))]
        out += [f"column {name!r} holds {JOINT!r}, which joins the columns" for name in mixed]
    return out


def _binned(table: Table, data: DataConfig) -> tuple[Table, list[str]]:
    """The table with the numbers of `data.bins` turned into classes."""
    complaints, binned = list[str](), dict[str, list[str]]()
    for name, edges in data.bins.items():
        binned[name], wrong = to_bins(table.values[name], table.lines, edges, name)
        complaints += wrong
    return table.but(**binned) if binned else table, complaints


def _by_bins(texts: Sequence[str], table: Table, data: DataConfig) -> tuple[str, ...]:
    """The labels that occur, sorted column by column, bins from below."""
    ranks = [
        bin_names(data.bins[name]) if name in data.bins else sort_classes(table.values[name])
        for name in data.target
    ]
    present = {text for text in texts if text}

    def rank(text: str) -> list[int]:
        cells = text.split(JOINT) if len(ranks) > 1 else [text]
        return [names.index(cell) for names, cell in zip(ranks, cells, strict=True)]

    return tuple(sorted(present, key=rank))


def _joined(table: Table, data: DataConfig) -> list[str]:
    """The label of each row as text; empty where one of its cells is."""
    columns = [table.values[name] for name in data.target]
    if len(columns) == 1:
        return columns[0]
    return [
        JOINT.join(cells) if all(cell.strip() for cell in cells) else ""
        for cells in zip(*columns, strict=True)
    ]


def number(
    texts: Sequence[str],
    lines: Sequence[int],
    task: Task,
    given: tuple[str, ...] = (),
    known: tuple[str, ...] | None = None,
) -> Labels:
    """A class number for each label text. given: the order of the classes, or () for sorted."""
    empty = [line for text, line in zip(texts, lines, strict=True) if not text.strip()]
    complaints = [f"{len(empty)} rows have no label: lines {first(empty)}"] if empty else []
    present = sort_classes([text for text in texts if text.strip()])
    classes = known or given or present
    complaints += _uncovered(texts, lines, present, classes)
    if known is None:
        complaints += _class_counts(task, present, classes)
        complaints += [] if given or not task.ordered else _in_order(classes)
    if complaints:
        return Labels(classes, None, tuple(complaints), tuple(texts))
    place = {name: column for column, name in enumerate(classes)}
    target = np.fromiter((place[text] for text in texts), dtype=np.int64, count=len(texts))
    return Labels(classes, target, (), tuple(texts))


def _in_order(classes: Sequence[str]) -> list[str]:
    """Complaints about grades whose order nobody said."""
    words = [name for name in classes if not _NUMBER.fullmatch(name)]
    if words:
        return [
            f"task: ordinal needs grades in an order, and {first(words)} are no numbers: write all "
            "of them in data.classes, the lowest first"
        ]
    values = [float(name) for name in classes]
    steps = {round(high - low, 9) for low, high in itertools.pairwise(values)}
    if len(steps) > 1:
        note(
            f"the grades {first(classes, 12)} are not evenly apart: distances between them count "
            "as steps from one to the next"
        )
    return []


def _uncovered(
    texts: Sequence[str], lines: Sequence[int], present: Sequence[str], classes: Sequence[str]
) -> list[str]:
    """Labels that are not among the classes, each with the first line that has it."""
    place = dict(zip(reversed(texts), reversed(lines), strict=True))
    out = []
    for name in [name for name in present if name not in classes][:5]:
        hint = did_you_mean(name, classes)
        out.append(
            f"line {place[name]}: the label {name!r} is none of the classes "
            f"{first(classes, 12)}{'.' if hint else ''}{hint}"
        )
    return out


def _class_counts(task: Task, present: Sequence[str], classes: Sequence[str]) -> list[str]:
    out = []
    unseen = [name for name in classes if name not in present]
    if unseen:
        out.append(f"data.classes names what no row has: {first(unseen)}")
    if len(set(classes)) < len(classes):
        out.append(f"data.classes names a class twice: {first(classes, 30)}")
    return out + _learnable(task, present, present)


def _learnable(task: Task, present: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Complaints about too few classes, or more than the task has."""
    out = []
    if len(present) < 2:
        out.append(f"only one class ({first(present) or 'no label'}): nothing can be learned")
    limit = task.class_limit
    if limit is not None and len(classes) > limit:
        out.append(
            f"{len(classes)} classes ({first(classes)}) where task: {task.name} has {limit}; "
            "is it another column of data.target, or another task?"
        )
    return out


def _zeros_and_ones(table: Table, data: DataConfig, known: tuple[str, ...] | None) -> Labels:
    classes = known or data.classes or data.target
    complaints = _same_names(classes, data.target)
    if complaints:
        return Labels(classes, None, tuple(complaints))
    read = read_zero_one({name: table.values[name] for name in classes}, table.lines, data)
    _tell(table, read.notes)
    lists = ["a list of labels needs data.separator"] if len(data.target) == 1 else []
    complaints = [*read.complaints, *(lists if read.complaints else ())]
    return Labels(classes, read.target, tuple(complaints), shares=read.shares)


def _same_names(classes: Sequence[str], columns: Sequence[str]) -> list[str]:
    if sorted(classes) == sorted(columns):
        return []
    other = sorted({*classes} ^ {*columns}) or classes
    return [f"the classes and the columns of data.target differ: {first(other)}"]


def _listed(table: Table, data: DataConfig, known: tuple[str, ...] | None) -> Labels:
    """One column with a list of labels in each cell; an empty one is an image with none, or by
    `data.blank` one of which nothing is known."""
    cells = table.values[data.target[0]]
    nobody = [_nobody_said(cell, data) for cell in cells]
    rows = split_cells(["" if n else c for c, n in zip(cells, nobody, strict=True)], data.separator)
    bad = [
        f"line {line}: {cell!r} holds an empty or a repeated label (cut at {data.separator!r})"
        for cell, row, line in zip(cells, rows, table.lines, strict=True)
        if "" in row or len(set(row)) < len(row)
    ]
    complaints = [*bad[:5], *([f"... and {len(bad) - 5} more like these"] if bad[5:] else [])]
    complaints += _unused(data, {item for row in rows for item in row}, known)
    rows = [list(dict.fromkeys(data.rename.get(item, item) for item in row)) for row in rows]
    present = sort_classes([item for row in rows for item in row if item])
    classes = known or data.classes or present
    flat = [(item, line) for row, line in zip(rows, table.lines, strict=True) for item in row]
    complaints += _uncovered([i for i, _ in flat], [n for _, n in flat], present, classes)
    if known is None:
        unseen = [name for name in classes if name not in present]
        complaints += [f"data.classes names what no row has: {first(unseen)}"] if unseen else []
        complaints += [] if present else [f"column {data.target[0]!r} holds no label at all"]
    if complaints:
        return Labels(classes, None, tuple(complaints), tuple(cells))
    return Labels(classes, mark(rows, classes, nobody), (), tuple(cells))


def _nobody_said(cell: str, data: DataConfig) -> bool:
    blank = not cell.strip() and data.blank == "unknown"
    return blank or means(cell, data.unknown)


def mark(
    rows: Sequence[Sequence[str]], classes: Sequence[str], nobody: Sequence[bool]
) -> np.ndarray[Any, Any]:
    """(N, C) int64 with a one for each label of a row. nobody: (N,) rows that are unknown."""
    place = {name: column for column, name in enumerate(classes)}
    target = np.zeros((len(rows), len(classes)), dtype=np.int64)
    for line, row in enumerate(rows):
        target[line, [place[item] for item in row]] = 1
    target[np.asarray(nobody, dtype=bool)] = UNKNOWN
    return target
