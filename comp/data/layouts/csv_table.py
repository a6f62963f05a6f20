"""The layout `csv`: a table with a column of ids and columns of labels, and a folder of images.

An id is what the table says; which file it means is decided by `comp.data.index.file_match`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comp.config.schema import AUTO_BAG, AUTO_GROUP, FOLDER_BAG, DataConfig
from comp.core.errors import DataError, complain
from comp.data.bags.folders import Folders
from comp.data.bags.order import by_columns, by_names
from comp.data.index import file_match, group_cells
from comp.data.index.data_tables import read_data_table, refuse_no_header, tell
from comp.data.index.index import Index
from comp.data.index.sources import Source, fields_of, find_sources, lacking_columns
from comp.data.index.tables import Table
from comp.data.labels.labels import Labels
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
    folders = Folders(listing) if data.bag == FOLDER_BAG else None
    known = folders.known if folders else lambda name: bool(listing.find(name))
    table, read = read_rows(table, data, task, known)
    heading = f"{table.path}: not a table of training images:"
    if data.rows != "image":  # else the rows of an image would be complaints too
        complain(DataError, heading, read.complaints, shown=30)
    complaints = list(read.complaints)
    ids, unreadable = _ids(table, data, read.texts, listing)
    groups, ungrouped = _groups(table, data, ids)
    weights, unweighed = read_weights(table, data)
    complaints = [*unreadable, *complaints, *ungrouped, *unweighed]
    if folders is not None:
        return _of_folders(ids, folders, heading, complaints, read, groups)
    places, unplaced = None, list[str]()
    if data.bag not in (None, AUTO_BAG):
        places, unplaced = by_columns(table, data, ids, "data.train_csv")
    paths, sources, unfound = _files(table, data, ids, listing)
    complain(DataError, heading, [*complaints, *unplaced, *unfound], shown=30)
    return file_match.build_index(
        ids,
        paths,
        read.classes,
        read.target,
        groups,
        shares=read.shares,
        sources=sources,
        places=places,
        weights=weights,
    )


def _files(
    table: Table, data: DataConfig, ids: Sequence[str], listing: file_match.Listing
) -> tuple[list[Path], list[Source] | None, list[str]]:
    """The file of each image, or all of its files by `data.files`; and complaints."""
    if not data.files:
        found, unfound = file_match.match(ids, listing)
        return [found[name] for name in ids if name in found], None, unfound
    lacking = lacking_columns(data.files, table.columns, table.path)
    if lacking or not ids:
        return [], None, lacking
    columns = {name: table.values[name] for name in fields_of(data.files)}
    sources, unfound = find_sources(ids, data.files, columns, listing)
    return [source.files[0] for source in sources], sources, unfound


def _of_folders(
    ids: Sequence[str],
    folders: Folders,
    heading: str,
    complaints: list[str],
    read: Labels,
    groups: list[str] | None,
) -> Index:
    """The images in the folders that ids mean, each with the label and the group of its row."""
    found, unfound = folders.expand(ids)
    names = [image.id for image in found]
    twice = file_match.repeated_rows(names, [image.row for image in found])
    complain(DataError, heading, [*complaints, *unfound, *twice], shown=30)
    rows = [image.row for image in found]
    assert read.target is not None, "labels without complaints"
    return file_match.build_index(
        names,
        [image.path for image in found],
        read.classes,
        read.target[rows],
        None if groups is None else [groups[row] for row in rows],
        shares=None if read.shares is None else read.shares[rows],
        places=by_names([image.bag for image in found], names),
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
