"""Layouts from a user's own function, which gives a DataFrame of the training images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from comp.config.schema import JOINT, DataConfig
from comp.core.errors import ConfigError, DataError, complain, repeated
from comp.core.registry import guarded
from comp.data.index import file_match, group_cells
from comp.data.index.index import Index
from comp.data.index.tables import Table, make_table
from comp.data.labels import labels
from comp.data.layouts.layouts import Layout
from comp.tasks.kinds import Task

if TYPE_CHECKING:
    import pandas as pd

Read = Callable[[Path, DataConfig], "pd.DataFrame"]

_ID, _PATH, _LABEL, _GROUP = "id", "path", "label", "group"


def custom_layout(name: str, read: Read, test_images: str | None = None) -> Layout:
    """A layout from `read(root, data)`: a row per training image with `id`, `path` (below root),
    `label` and, where there are any, `group`.

    test_images: the folder of the test images below root; None: `data.test_images`.
    """

    read = guarded(read, "layout", name, DataError)

    def train(data: DataConfig, task: Task) -> Index:
        return _index(name, _table(name, read, data), data, task)

    def folder(data: DataConfig) -> Path:
        return Path(data.root) / (data.test_images if test_images is None else test_images)

    return Layout(lambda data: [], train, folder, needs_sample=False)


def _table(name: str, read: Read, data: DataConfig) -> Table:
    """What the function gives, as text. Raises ConfigError where it is no such table."""
    frame = read(Path(data.root), data)
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(f"layout {name!r}: it gives a {type(frame).__name__}, not a DataFrame")
    lacking = [column for column in (_ID, _PATH, _LABEL) if column not in frame.columns]
    if lacking:
        raise ConfigError(
            f"layout {name!r}: its DataFrame has no column {', '.join(lacking)}; it has "
            f"{', '.join(map(str, frame.columns))}"
        )
    known = [column for column in (_ID, _PATH, _LABEL, _GROUP) if column in frame.columns]
    texts = {column: ["" if pd.isna(v) else str(v) for v in frame[column]] for column in known}
    return make_table(texts, Path(data.root), range(len(frame)))


def _index(name: str, table: Table, data: DataConfig, task: Task) -> Index:
    """The index of a table. Raises one DataError with all complaints."""
    ids, root = table.values[_ID], Path(data.root)
    separator = (data.separator or JOINT) if task.target_ndim == 2 else None
    wanted: dict[str, object] = {"id": _ID, "target": (_LABEL,), "separator": separator, "bins": {}}
    found = labels.read_labels(table, data.model_copy(update=wanted), task)
    paths = [root / path for path in table.values[_PATH]]
    places = [f"row {row}" for row in range(len(ids))]
    complaints = [] if ids else ["no rows"]
    complaints += file_match.bad_ids(ids, places)
    complaints += [f"the id {twice!r} is in several rows" for twice in repeated(ids)]
    complaints += found.complaints
    complaints += [f"no such file: {path}" for path in paths if not path.is_file()]
    groups = table.values.get(_GROUP)
    if groups is not None:
        named = data.model_copy(update={"group": _GROUP})
        groups, ungrouped = group_cells.read_groups(groups, ids, table.lines, named)
        complaints += ungrouped
    complain(DataError, f"layout {name!r}: not a table of training images:", complaints, shown=30)
    return file_match.build_index(ids, paths, found.classes, found.target, groups)
