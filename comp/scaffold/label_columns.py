"""The guess about the label columns of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from comp.tasks.kinds import Task


@dataclass(frozen=True)
class LabelColumns:
    """The label columns of a table, and the kind of task that they make.

    `separator`  what joins several labels in one cell, or None
    `doubts`     what was not clear, as messages
    `keys`       more keys of the section `data` that say how the columns are read
    """

    columns: tuple[str, ...]
    task: Task
    separator: str | None = None
    doubts: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)
