"""The layout `csv`: a table with a column of ids and columns of labels, and a folder of images.

An id is what the table says; which file it means is decided by `comp.data.index.file_match`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import DataError, complain
from comp.data.index import file_match, group_cells
from comp.data.index.data_tables import read_data_table, refuse_no_header, tell
from comp.data.index.index import Index
from comp.data.index.tables import Table
from comp.data.labels.long_rows import read_rows
from comp.data.labels.row_weights import read_weights
from comp.tasks.kinds import Task


def lacks(data: DataConfig) -> list[str]:
    """What is missing for the layout, as complaints."""
    root = Path(data.root)
    table = root / data.train_csv
    out = [] if table.is_file() else [f"the table {table} is missing (data.train_csv)"]
    return out + file_match.no_folders(root / data.train_images)


def train(data: DataConfig, task: Task) -> Index:
    """The images that the table names. Raises DataError with all that is wrong."""
    root = Path(data.root)
    table = read_data_table(root / data.train_csv, data, headless=True)
    tell(table)
    listing = file_match.list_files(root / data.train_images, root)
    file_match.say_not_read(listing)
    refuse_no_header(table, data, listing)
    table, read = read_rows(table, data, task, lambda name: bool(listing.find(name)))
    heading = f"{table.path}: not a table of training images:"
    if data.rows != "image":  # else the rows of an image would be complaints too
        complain(DataError, heading, read.complaints, shown=30)
    complaints = list(read.complaints)
    ids, unreadable = _ids(table, data, read.texts, listing)
    groups, ungrouped = _groups(table, data, ids)
    weights, unweighed = read_weights(table, data)
    found, unfound = file_match.match(ids, listing)
    complaints = [*unreadable, *complaints, *ungrouped, *unweighed, *unfound]
    complain(DataError, heading, complaints, shown=30)
    paths = [found[name] for name in ids]
    return file_match.build_index(
        ids, paths, read.classes, read.target, groups, shares=read.shares, weights=weights
    )


def _ids(
    table: Table, data: DataConfig, notes: Sequence[str], listing: file_match.Listing
) -> tuple[list[str], list[str]]:
    if data.id not in table.values:
        return [], [f"data.id: {table.no_column(data.id)}"]
    ids = table.values[data.id]
    complaints = [] if ids else ["no rows"]
    complaints += file_match.bad_ids(ids, [f"line {line}" for line in table.lines], listing)
    twice = file_match.repeated_rows(ids, table.lines, notes)
    if twice and len({*ids}) < len({*zip(ids, notes, strict=False)}):
        twice.append(
            "ids with different labels: if each row is one label of an image, set task: multilabel "
            "and data.rows: label; else keep the right rows only"
        )
    return ids, complaints + twice


def _groups(
    table: Table, data: DataConfig, ids: Sequence[str]
) -> tuple[list[str] | None, list[str]]:
    if data.group in (None, AUTO_GROUP):
        return None, []
    if data.group not in table.values:
        return None, [f"data.group: {table.no_column(data.group)}"]
    cells = table.values[data.group]
    return group_cells.read_groups(cells, ids or cells, table.lines, data)
