"""The layout `rle`: a table of run lengths, and a folder of images.

The table has a row per image (one class), a row per image and class (`data.rle_class` names the
column of the class, or image and class stand in one column, joined by "_"), or a column of run
lengths per class. Several rows of an image and class are objects of it. An empty cell is an empty
mask; an image without any row has none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import DataError, complain, first
from comp.core.progress import say
from comp.data.images.header import image_size
from comp.data.index import file_match
from comp.data.index.data_tables import read_data_table, refuse_no_header, tell
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.data.index.sample_rows import SampleRows, read_sample_rows, row_complaints
from comp.data.index.tables import Table
from comp.data.masks import rle
from comp.data.masks.form import MaskForm
from comp.data.masks.sources import RunsSource
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]
Cells = dict[str, list[tuple[str, str, int]]]  # image -> (code, text, line)

_ONE = "object"  # the class of a table that names none


def lacks(data: DataConfig) -> list[str]:
    """What is missing for the layout, as complaints."""
    table = Path(data.root) / data.train_csv
    out = [] if table.is_file() else [f"the table {table} is missing (data.train_csv)"]
    return out + file_match.no_folders(Path(data.root) / data.train_images)


def train(data: DataConfig, task: Task) -> Index:
    """The images of the folder, with the masks of the table."""
    root = Path(data.root)
    table = read_data_table(root / data.train_csv, data, headless=True)
    tell(table)
    listing = file_match.list_files(root / data.train_images, root)
    refuse_no_header(table, data, listing)
    complaints: list[str] = []
    if data.group not in (None, AUTO_GROUP):
        complaints.append("data.group: not for this layout; use auto, or null")
    cells = _cells(table, data, listing, complaints)
    codes = _codes(cells, data)
    classes = data.classes or codes
    if len(classes) != len(codes) or not (_numbered(codes) or set(classes) == set(codes)):
        complaints.append(
            f"data.classes: {first(classes, 12)}; the table has the classes {first(codes, 12)}"
        )
    elif _numbered(codes) and data.classes:
        pairs = zip(codes, classes, strict=True)
        say(f"classes of {table.path}: {', '.join(f'{code} {name}' for code, name in pairs)}")
    found, unfound = file_match.match(list(cells), listing)
    complaints += unfound
    named = {path: name for name, path in found.items()}
    ids = [named.get(path, name) for name, path in listing.images]
    paths = [path for _, path in listing.images]
    complaints += file_match.bad_ids(ids, [str(listing.folder)] * len(ids))
    complain(DataError, f"{table.path}: not data of the layout 'rle':", complaints)
    truth = _masks(ids, paths, cells, codes, data, task, table)
    target = np.stack([truth.objects(row) > 0 for row in range(len(ids))]).astype(np.int64)
    return file_match.build_index(ids, paths, tuple(classes), target, masks=truth, codes=codes)


def read_masks(
    path: Path,
    data: DataConfig,
    task: Task,
    classes: tuple[str, ...],
    ids: Sequence[str],
    listing: file_match.Listing,
    codes: tuple[str, ...] | None = None,
) -> Masks:
    """The masks of `ids`, from a table like that of the training images, which calls the classes
    `codes`; without codes by their names."""
    table = read_data_table(path, data)
    complaints: list[str] = []
    cells = _cells(table, data, listing, complaints)
    found, unfound = file_match.match(list(ids), listing)
    named = {path: name for name, path in found.items()}
    there = {name: listing.find(name) for name in cells}
    cells = {named.get(next(iter(there[name]), Path()), name): own for name, own in cells.items()}
    unknown = [name for name in cells if name not in set(ids)]
    complaints += unfound
    if unknown:
        complaints.append(f"{len(unknown)} images are not in the test set: {first(unknown)}")
    codes = codes or classes
    others = [code for code in _codes(cells, data) if code not in codes]
    if others:
        complaints.append(f"classes that are unknown: {first(others)}; known: {first(codes, 12)}")
    complain(DataError, f"{path}: not the answers:", complaints)
    return _masks(ids, [found[name] for name in ids], cells, codes, data, task, table)


def _codes(cells: Cells, data: DataConfig) -> tuple[str, ...]:
    """What the table calls its classes, in their order: that of its columns, or of data.classes,
    or of their numbers."""
    found = {code for rows in cells.values() for code, _, _ in rows}
    for known in (data.classes, data.target):
        if found == set(known):
            return known
    return tuple(sorted(found, key=_natural))


def _numbered(codes: Sequence[str]) -> bool:
    """Whether the codes are no names: numbers, or the one of a table that has none."""
    return tuple(codes) == (_ONE,) or all(_natural(code)[1] == "" for code in codes)


def _masks(
    ids: Sequence[str],
    paths: Sequence[Path],
    cells: Cells,
    codes: Sequence[str],
    data: DataConfig,
    task: Task,
    table: Table,
) -> Masks:
    form = MaskForm(len(codes), task.layers(len(codes)))
    number_of = {code: number for number, code in enumerate(codes, 1)}
    complaints, sources = list[str](), list[RunsSource]()
    for name, path in zip(ids, paths, strict=True):
        runs = [(number_of[c], text, line) for c, text, line in cells.get(name, ()) if text]
        complaints += _wrong(runs, path)
        kept = tuple(sorted((number, text) for number, text, _ in runs))
        sources.append(RunsSource(path, kept, form, data.rle_order))
    complain(DataError, f"{table.path}: not run lengths of these images:", complaints)
    return Masks(sources, form.layers)


def _wrong(runs: Sequence[tuple[int, str, int]], path: Path) -> list[str]:
    """Complaints about run lengths that do not fit their image."""
    out = []
    for _, text, line in runs:
        try:
            height, width = image_size(path)
            rle.runs(text, height * width)
        except DataError as problem:
            out.append(f"line {line}: {problem}")
    return out


def _cells(
    table: Table, data: DataConfig, listing: file_match.Listing, complaints: list[str]
) -> Cells:
    """The run lengths of each image, by the codes of the classes."""
    key = data.id if data.id in table.values else table.columns[0]
    columns = list(data.target) or [table.columns[-1]]
    missing = [name for name in (*columns, data.rle_class) if name and name not in table.values]
    complaints += [f"data.target, data.rle_class: {table.no_column(name)}" for name in missing]
    if missing or key in columns:
        return {}
    sample = _sample_rows(table, key, columns, data, listing)
    complaints += (
        row_complaints(sample, None, table.lines)
        if len(columns) > 1
        else _repeated(table, sample, columns[0])
    )
    out: Cells = {name: [] for name in sample.ids}
    for column in columns:
        for row, text in enumerate(table.values[column]):
            code = sample.codes[row] if len(columns) == 1 else column
            text = "" if rle.is_empty(text) else text
            out[sample.images[row]].append((code or _ONE, text, table.lines[row]))
    return out


def _repeated(table: Table, sample: SampleRows, column: str) -> list[str]:
    """A complaint about rows that say the same twice; an object of a class has a row each."""
    seen: dict[tuple[str, ...], int] = {}
    twice = []
    for row, line in enumerate(table.lines):
        cells_of_row = (
            sample.images[row],
            sample.codes[row] or "",
            table.values[column][row].strip(),
        )
        if cells_of_row in seen:
            twice.append(f"{cells_of_row[0]} (lines {seen[cells_of_row]} and {line})")
        seen.setdefault(cells_of_row, line)
    return [f"{len(twice)} rows are there twice: {first(twice)}"] if twice else []


def _sample_rows(
    table: Table, key: str, columns: Sequence[str], data: DataConfig, listing: file_match.Listing
) -> SampleRows:
    """Image and class of each row; the class is no column but that of `data.rle_class`."""
    ids = tuple(table.values[key])
    if data.rle_class is not None:
        return SampleRows(ids, tuple(table.values[data.rle_class]))
    if len(columns) > 1:
        return SampleRows(ids, (None,) * len(ids))
    return read_sample_rows(table.only(key, columns[0]), key, lambda name: bool(listing.find(name)))


def _natural(code: str) -> tuple[int, str]:
    """Numbers by their value, before texts."""
    return (int(code), "") if code.isascii() and code.isdigit() else (1 << 30, code)
