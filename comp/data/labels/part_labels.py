"""The labels of several tasks, each from its own columns of one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.progress import note
from comp.data.index.tables import Table
from comp.data.labels.columns import is_blank
from comp.tasks.kinds import Part, Task
from comp.tasks.several.parts import as_columns, column_names

Array = np.ndarray[Any, Any]
# table, data, task, classes -> what `comp.data.labels.labels.read_labels` gives
Reader = Callable[[Table, DataConfig, Task, tuple[str, ...] | None], Any]


def read_parts(
    table: Table, data: DataConfig, task: Task, read: Reader, *, answers: bool
) -> tuple[tuple[str, ...], Array | None, list[str]]:
    """The names of the columns of all tasks, the target (N, C) float64, and complaints.

    A blank cell is an unknown label of its task, NaN. answers: the table is one of true answers,
    which need not have all classes.
    """
    names, blocks, complaints = list[str](), list[Array](), list[str]()
    for part in task.link.parts:
        names += column_names(part)
        lacking = [table.no_column(name) for name in part.columns if name not in table.values]
        if lacking:
            complaints += [f"tasks: {part.name}: {text}" for text in lacking]
            continue
        block, wrong = _read_part(table, data, part, read, answers=answers)
        complaints += [f"tasks: {part.name}: {text}" for text in wrong]
        blocks.append(block)
    if complaints:
        return tuple(names), None, complaints
    return tuple(names), np.concatenate(blocks, axis=1), []


def _read_part(
    table: Table, data: DataConfig, part: Part, read: Reader, *, answers: bool
) -> tuple[Array, list[str]]:
    """(N, c) float64 of one task: its known rows, read as if it were alone."""
    partly = part.task.target_kind == "columns"
    blank = np.array([[is_blank(cell) for cell in table.values[name]] for name in part.columns])
    known = np.flatnonzero(~(blank.all(axis=0) if partly else blank.any(axis=0)))
    out = np.full((len(table), part.block.stop - part.block.start), np.nan)
    if not len(known):
        return out, [] if answers else ["all of its cells are blank"]
    given = () if part.task.target_ndim == 2 else part.classes
    own = data.model_copy(
        update={
            "target": part.columns,
            "classes": given,
            "blank": "unknown" if partly else "refuse",
            "numbers": "classes",
        }
    )
    rows = replace(
        table,
        frame=table.frame.iloc[known].reset_index(drop=True),
        lines=tuple(table.lines[row] for row in known),
    )
    found = read(rows, own, part.task, part.classes if answers else None)
    if found.target is None:
        return out, list(found.complaints)
    out[known] = as_columns(part, found.target)
    if len(known) < len(table) and not answers:
        note(f"{table.path}: {part.name}: unknown in {len(table) - len(known)} rows (blank cells)")
    return out, []
