"""Tables in which every cell is text: "00001", "NA" and "None" stay what the file says.

The first bytes of a file decide what it is, never its name: text, gzip, a zip archive with one
table in it, Parquet or an Excel workbook. pandas reads them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from comp.core import files
from comp.core.errors import DataError, complain, did_you_mean, first, repeated, unreadable
from comp.data.index.encodings import decode
from comp.data.index.table_files import read_frame, unpack
from comp.data.index.table_text import TextForm, csv_text, delimiter_of, parse

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Table:
    """A table as the file has it, and the form of the file, so that one like it can be written.

    `frame`  (N, C) text; the rows are numbered from 0, the columns have different names
    `path`   the file
    `lines`  (N,) the line of the file on which each row begins, the header being on line 1; in a
             Parquet file or a workbook the row number counted in the same way
    `form`   encoding, newlines and delimiter; the defaults where the file is no text
    """

    frame: pd.DataFrame
    path: Path
    lines: tuple[int, ...] = field(default=(), repr=False)
    form: TextForm = field(default_factory=TextForm)
    notes: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    written: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """(C,) the column names, each once."""
        return tuple(self.frame.columns)

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """Column -> its (N,) cells."""
        return {name: self.frame[name].tolist() for name in self.columns}

    def column(self, name: str) -> list[str]:
        """The (N,) cells of a column; DataError with the nearest name when there is none."""
        if name not in self.columns:
            raise DataError(f"{self.path}: {self.no_column(name)}")
        return self.values[name]

    def no_column(self, name: str) -> str:
        """The message about a column that the table does not have."""
        hint = did_you_mean(name, self.columns)
        return f"no column {name!r}; its columns are {first(self.columns, 12)}.{hint}"

    def but(self, **columns: Sequence[str]) -> Table:
        """The same rows with these columns replaced, or added at the end."""
        return replace(self, frame=self.frame.assign(**columns).astype(str))

    def only(self, *columns: str) -> Table:
        """The same rows with these columns alone."""
        return replace(self, frame=self.frame[list(columns)])


def make_table(
    columns: Mapping[str, Sequence[str]], path: Path, lines: Sequence[int] | None = None
) -> Table:
    """A table of columns of equal length, as if `path` held it."""
    import pandas as pd

    frame = pd.DataFrame(dict(columns), dtype=str)
    return Table(frame, path, tuple(range(2, len(frame) + 2) if lines is None else lines))


def read_table(path: Path) -> Table:
    """The table in a file, its cells as they are: one that `comp` wrote, or a submission.

    Numbers of a Parquet file or a workbook become text as Python prints them, empty cells the empty
    text; blank lines are left out. A table of a competition is read by
    `comp.data.index.data_tables`.

    Raises DataError when the file is missing, damaged or no table, for a row that has more or fewer
    cells than the header (with its line), for column names that are empty or repeated, and where
    the library that reads the format is not installed.
    """
    table = read_raw(path)
    refuse_names(table)
    return table


def read_raw(
    path: Path,
    encoding: str | None = None,
    *,
    skip: bool = False,
    beside: Sequence[Path] = (),
) -> Table:
    """The table in a file with the column names that it has, which may be empty or repeated.

    encoding, beside: see `comp.data.index.encodings.decode`; skip: see `parse`. Raises as
    `read_table` does, but for names.
    """
    path = Path(path)
    content = unpack(path, _read_bytes(path))
    frame = read_frame(path, content)
    if frame is not None:
        return Table(frame, path, tuple(range(2, len(frame) + 2)))
    found = decode(path, content, encoding, lambda: [unpack(p, _read_bytes(p)) for p in beside])
    delimiter = delimiter_of(found.text)
    rows = parse(path, found.text, delimiter, skip=skip)
    complain(DataError, f"{path}: not a table (cut at {delimiter!r}):", rows.ragged)
    notes = [found.note] if found.note else []
    notes += [f"{rows.blank} blank lines are left out"] if rows.blank else []
    form = TextForm.of(found, delimiter)
    return Table(rows.frame(), path, tuple(rows.lines.tolist()), form, tuple(notes))


def refuse_names(table: Table) -> None:
    """DataError for column names that are empty or repeated."""
    cut = "" if table.form.header is None else f" (cut at {table.form.delimiter!r})"
    complain(DataError, f"{table.path}: not a table{cut}:", _bad_names(list(table.frame.columns)))


def table_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a table that `comp` writes: commas, "\\n", quotes where a cell needs them."""
    table: list[list[object]] = [list(columns), *map(list, rows)]
    if any(isinstance(cell, str) and "\r" in cell for row in table for cell in row):
        return csv_text(table)  # pandas leaves it bare, and a reader takes it for a newline
    import pandas as pd

    frame = pd.DataFrame(table[1:], columns=list(columns), dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as UTF-8; whole or not at all."""
    files.write_text(path, table_text(columns, rows))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as problem:
        raise DataError(f"{path}: {unreadable(problem)}.{_hint(path)}") from problem
    except OSError as problem:
        raise DataError(f"{path}: {unreadable(problem)}") from problem


def _hint(path: Path) -> str:
    """The nearest thing that exists, for a path that does not."""
    if not path.parent.is_dir():
        return f" The folder {path.parent} does not exist either."
    beside = sorted(item.name for item in path.parent.iterdir())
    close = did_you_mean(path.name, beside, show=lambda name: str(path.parent / name))
    return close or f" {path.parent} holds: {first(beside) or 'nothing'}."


def _bad_names(columns: Sequence[str]) -> list[str]:
    empty = [str(number) for number, name in enumerate(columns, 1) if not name.strip()]
    out = [f"line 1: column {', '.join(empty)} of {len(columns)} has no name"] if empty else []
    again = repeated([name for name in columns if name.strip()])
    return out + [f"line 1: the column name {name!r} is repeated" for name in again]
