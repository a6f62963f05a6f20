"""Tables that are text: encoding, delimiter, rows and the lines on which they begin.

pandas reads the cells. It fills short rows up without a word and counts rows, not lines, so the
lines and the number of cells in each row are counted beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comp.core.errors import DataError, first

Array = np.ndarray[Any, Any]

ENCODINGS = ("utf-8", "cp949")  # the second is what Korean Excel saves
DELIMITERS = (",", "\t", ";")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TextForm:
    """How the text of a table is written.

    `encoding`       one of ENCODINGS
    `bom`            whether a byte order mark opens the file
    `newline`        "\\n" or "\\r\\n", by the header
    `final_newline`  whether the last line is ended by one
    `delimiter`      one of DELIMITERS
    `header`         the bytes of the first line without its newline, a byte order mark included;
                     None where the file is no text
    """

    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    final_newline: bool = True
    delimiter: str = ","
    header: bytes | None = None

    @classmethod
    def of(cls, text: str, encoding: str, bom: bool, delimiter: str) -> TextForm:
        """The form of a text."""
        line, newline, _ = text.partition("\n")
        header = (BOM if bom else b"") + line.removesuffix("\r").encode(encoding)
        return cls(
            encoding=encoding,
            bom=bom,
            newline="\r\n" if newline and line.endswith("\r") else "\n",
            final_newline=text.endswith(("\n", "\r")),
            delimiter=delimiter,
            header=header,
        )


def decode(path: Path, content: bytes) -> tuple[str, bool, str]:
    """The encoding, whether a byte order mark is there, and the text without it."""
    bare = content.removeprefix(BOM)
    for encoding in ENCODINGS:
        try:
            return encoding, bare is not content, bare.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: neither {' nor '.join(ENCODINGS)} text; save it as UTF-8")


def delimiter_of(text: str) -> str:
    """The delimiter that gives the header the most names; the comma for a single column."""

    def names(delimiter: str) -> int:
        try:
            return len(next(_cells(text, delimiter), []))
        except csv.Error:  # quotes that make sense with another delimiter only
            return 0

    return max(DELIMITERS, key=names)


def _cells(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


@dataclass(frozen=True)
class Rows:
    """The rows of a text under its header.

    `columns`  the cells of the header
    `lines`    (N,) int64: the line on which each row begins
    `ragged`   a complaint for each row with more or fewer cells than the header
    """

    text: str
    delimiter: str
    columns: tuple[str, ...]
    lines: Array
    ragged: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """(N, C) text. The rows must not be ragged."""
        whole = pd.read_csv(
            io.StringIO(self.text, newline=""),
            sep=self.delimiter,
            header=None,
            names=range(len(self.columns)),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            nrows=1 + len(self.lines),
            low_memory=False,
        )
        body = whole.iloc[1:].reset_index(drop=True)
        body.columns = pd.Index(self.columns, dtype=object)
        return body


def parse(path: Path, text: str, delimiter: str) -> Rows:
    """The rows of a text, without the blank ones at the end.

    Raises DataError for an empty text, and with the line for a quote that is left open.
    """
    count = _count_quoted if '"' in text else _count_plain
    lines, widths = count(path, text, delimiter)
    if not len(lines):
        raise DataError(f"{path}: empty; a table begins with a line of column names")
    header = next(_cells(text, delimiter))
    odd = np.flatnonzero(widths != len(header))
    ragged = _ragged(text, delimiter, odd, lines, len(header))
    return Rows(text, delimiter, tuple(header), lines[1:], tuple(ragged))


def _count_plain(_: Path, text: str, delimiter: str) -> tuple[Array, Array]:
    """The line on which each row begins and its number of cells, of a text without quotes: each
    line is a row."""
    data = text.encode()
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data and not data.endswith(b"\n"):
        data += b"\n"
    letters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    cuts = np.flatnonzero(letters == ord(delimiter))
    widths = np.diff(np.searchsorted(cuts, ends), prepend=0) + 1
    widths[starts == ends] = 0
    rows = len(ends)
    while rows and widths[rows - 1] < 2 and not data[starts[rows - 1] :].decode().strip():
        rows -= 1
    return np.arange(1, rows + 1), widths[:rows]


def _count_quoted(path: Path, text: str, delimiter: str) -> tuple[Array, Array]:
    """The same of a text with quotes, in which a row may go over several lines."""
    reader = _cells(text, delimiter)
    widths, ends, rows = list[int](), [0], 0
    try:
        for row in reader:
            widths.append(len(row))
            ends.append(reader.line_num)
            if len(row) > 1 or "".join(row).strip():
                rows = len(widths)
    except csv.Error as problem:
        where = f"{path}: line {ends[-1] + 1}"
        raise DataError(f"{where}: {problem}; is a quote left open in that row?") from problem
    return np.array(ends[:rows], dtype=np.int64) + 1, np.array(widths[:rows], dtype=np.int64)


def _ragged(text: str, delimiter: str, rows: Array, lines: Array, width: int) -> list[str]:
    if not len(rows):
        return []
    wanted = {*rows.tolist()}
    cells: dict[int, Sequence[str]] = {
        row: found for row, found in enumerate(_cells(text, delimiter)) if row in wanted
    }
    return [
        f"line {lines[row]}: {len(found)} cells where the header has {width}: "
        f"{first(found, 3) or 'blank'}"
        for row, found in cells.items()
    ]
