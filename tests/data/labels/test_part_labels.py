"""The labels of several tasks in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from comp.config.schema import DataConfig
from comp.config.tasks import TaskConfig
from comp.data.index.tables import make_table
from comp.data.labels.labels import read_labels
from comp.data.labels.part_labels import read_parts
from comp.tasks.kinds import TOGETHER
from comp.tasks.several.parts import parts_of, several_link

PARTS = parts_of(
    [
        TaskConfig(name="worn", kind="binary", classes=("no", "yes"), metric="accuracy"),
        TaskConfig(name="age", kind="regression", metric="mae"),
        TaskConfig(name="seen", kind="multilabel", columns=("x", "y"), metric="macro_f1"),
    ]
)
TASK = replace(TOGETHER, link=several_link(PARTS))
COLUMNS = {
    "worn": ["yes", "", "no"],
    "age": ["3", "4.5", ""],
    "x": ["1", "0", ""],
    "y": ["0", "", ""],
}
NAN = float("nan")


def test_each_task_reads_its_columns_and_blank_cells_are_unknown() -> None:
    table = make_table(COLUMNS, Path("t.csv"))
    names, target, complaints = read_parts(
        table, DataConfig(root="."), TASK, read_labels, answers=False
    )
    assert complaints == []
    assert names == ("worn=yes", "age", "seen=x", "seen=y")
    assert target is not None
    wanted = [[1, 3, 1, 0], [NAN, 4.5, 0, NAN], [0, NAN, NAN, NAN]]
    np.testing.assert_array_equal(target, np.array(wanted))


def test_complaints_of_all_tasks_come_at_once() -> None:
    table = make_table({**COLUMNS, "worn": ["ja", "", "no"], "age": ["", "", ""]}, Path("t.csv"))
    found = read_labels(table.only("worn", "age", "x"), DataConfig(root="."), TASK)
    assert found.target is None
    text = "\n".join(found.complaints)
    assert "tasks: worn: line 2: the label 'ja' is none of the classes 'no', 'yes'" in text
    assert "tasks: age: all of its cells are blank" in text
    assert "tasks: seen: no column 'y'" in text
