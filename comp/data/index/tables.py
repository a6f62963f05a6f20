"""CSV tables in which every cell is text: "00001", "NA" and "None" stay what the file says."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from comp.core.errors import DataError, complain, did_you_mean, first

ENCODINGS = ("utf-8", "cp949")  # the second is what Korean Excel saves
DELIMITERS = (",", "\t", ";")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Table:
    """A table as the file has it, and the form of the file, so that one like it can be written.

    `path`           the file
    `columns`        (C,) the column names, each once
    `values`         column -> (N,) cells
    `lines`          (N,) the line of the file on which each row begins, the header being on 1
    `encoding`       one of ENCODINGS
    `bom`            whether a byte order mark opens the file
    `newline`        "\\n" or "\\r\\n", by the header
    `final_newline`  whether the last line is ended by one
    `delimiter`      one of DELIMITERS
    """

    path: Path
    columns: tuple[str, ...]
    values: dict[str, list[str]]
    lines: tuple[int, ...] = field(default=(), repr=False)
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    final_newline: bool = True
    delimiter: str = ","

    def __len__(self) -> int:
        return len(self.values[self.columns[0]])

    def column(self, name: str) -> list[str]:
        """The (N,) cells of a column; DataError with the nearest name when there is none."""
        if name not in self.values:
            raise DataError(f"{self.path}: {self.no_column(name)}")
        return self.values[name]

    def no_column(self, name: str) -> str:
        """What to say of a column that is not here."""
        hint = did_you_mean(name, self.columns)
        return f"no column {name!r}; its columns are {first(self.columns, 12)}.{hint}"


def read_table(path: Path) -> Table:
    """The table in a file: UTF-8 (a BOM may be there) or cp949, cut at comma, tab or semicolon.

    Blank lines at the end are left out. Raises DataError when the file is missing or is not text,
    for a row that has more or fewer cells than the header (with its line), and for column names
    that are empty or repeated.
    """
    path = Path(path)
    content = _read_bytes(path)
    bom = content.startswith(_BOM)
    encoding, text = _decode(path, content.removeprefix(_BOM))
    delimiter = _delimiter(text)
    rows, lines = _parse(path, text, delimiter)
    if not rows:
        raise DataError(f"{path}: empty; a table begins with a line of column names")
    columns, body = tuple(rows[0]), rows[1:]
    complain(
        DataError,
        f"{path}: not a table (cut at {delimiter!r}):",
        [*_bad_names(columns), *_ragged(len(columns), body, lines[1:])],
    )
    cells = [list(cut) for cut in zip(*body, strict=True)] if body else [[] for _ in columns]
    return Table(
        path=path,
        columns=columns,
        values=dict(zip(columns, cells, strict=True)),
        lines=tuple(lines[1:]),
        encoding=encoding,
        bom=bom,
        newline="\r\n" if text[: text.find("\n") + 1].endswith("\r\n") else "\n",
        final_newline=text.endswith(("\n", "\r")),
        delimiter=delimiter,
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as problem:
        raise DataError(f"{path}: no such file.{_hint(path)}") from problem
    except OSError as problem:
        raise DataError(f"{path}: cannot be read ({problem.strerror or problem})") from problem


def _hint(path: Path) -> str:
    """The nearest thing that exists, for a path that does not."""
    if not path.parent.is_dir():
        return f" The folder {path.parent} does not exist either."
    beside = sorted(item.name for item in path.parent.iterdir())
    close = did_you_mean(path.name, beside, show=lambda name: str(path.parent / name))
    return close or f" {path.parent} holds: {first(beside) or 'nothing'}."


def _decode(path: Path, content: bytes) -> tuple[str, str]:
    """The encoding and the text."""
    for encoding in ENCODINGS:
        try:
            return encoding, content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: neither {' nor '.join(ENCODINGS)} text; save it as UTF-8")


def _delimiter(text: str) -> str:
    """The delimiter that gives the header the most names; the comma for a single column."""

    def names(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            return len(next(reader, []))
        except csv.Error:  # quotes that make sense with another delimiter only
            return 0

    return max(DELIMITERS, key=names)


def _parse(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows, and the line on which each begins; without the blank ones at the end."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, ends = [], [0]
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error as problem:
        where = f"{path}: line {ends[-1] + 1}"
        raise DataError(f"{where}: {problem}; is a quote left open in that row?") from problem
    while rows and not "".join(rows[-1][:1]).strip() and len(rows[-1]) < 2:
        rows.pop()
    return rows, [before + 1 for before, _ in pairwise(ends)][: len(rows)]


def _bad_names(columns: Sequence[str]) -> list[str]:
    empty = [str(number) for number, name in enumerate(columns, 1) if not name.strip()]
    seen: set[str] = set()
    repeated = [name for name in columns if name.strip() and (name in seen or seen.add(name))]  # type: ignore[func-returns-value]
    out = [f"line 1: column {', '.join(empty)} of {len(columns)} has no name"] if empty else []
    return out + [f"line 1: the column name {name!r} is repeated" for name in repeated]


def _ragged(width: int, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> list[str]:
    return [
        f"line {line}: {len(row)} cells where the header has {width}: {first(row, 3) or 'blank'}"
        for row, line in zip(rows, lines, strict=True)
        if len(row) != width
    ]
