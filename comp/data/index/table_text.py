"""Tables that are text: encoding, delimiter, rows and the lines on which they begin.

pandas reads the cells. It fills short rows up without a word and counts rows, not lines, so the
lines and the number of cells in each row are counted beside it.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.core.errors import DataError, first
from comp.data.index.encodings import Decoded
from comp.data.index.image_files import image_suffix

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

DELIMITERS = (",", "\t", ";")
_NEWLINE = re.compile(r"\r*\n|\r")  # "\r\r\n" is what "\r\n" becomes when it is translated twice

csv.field_size_limit(1 << 31 - 1)  # a cell of run lengths may be longer than the usual limit


@dataclass(frozen=True)
class TextForm:
    """How the text of a table is written.

    `encoding`       a codec of Python
    `newline`        "\\n", "\\r\\n" or "\\r", by the header
    `final_newline`  whether the last line is ended by one
    `delimiter`      one of DELIMITERS, or a space
    `header`         the bytes of the first line without its newline, a byte order mark included;
                     None where the file is no text
    `mark`           the byte order mark, or nothing
    `headless`       whether there is no header: the first line is a row
    """

    encoding: str = "utf-8"
    newline: str = "\n"
    final_newline: bool = True
    delimiter: str = ","
    header: bytes | None = None
    mark: bytes = b""
    headless: bool = False

    @property
    def bom(self) -> bool:
        """Whether a byte order mark opens the file."""
        return bool(self.mark)

    @classmethod
    def of(cls, found: Decoded, delimiter: str) -> TextForm:
        """The form of a text."""
        end = _NEWLINE.search(found.text)
        line, newline = (found.text[: end.start()], end[0]) if end else (found.text, "\n")
        return cls(
            encoding=found.encoding,
            mark=found.mark,
            newline=newline[-2:],
            final_newline=found.text.endswith(("\n", "\r")),
            delimiter=delimiter,
            header=found.mark + line.encode(found.encoding),
        )


def delimiter_of(text: str) -> str:
    """The delimiter that gives the header the most names; a space where no other cuts the lines
    and it cuts all in the same way, with an image in each; else the comma, for a single column."""

    def names(delimiter: str) -> int:
        try:
            return len(next((row for row in _cells(text, delimiter) if "".join(row).strip()), []))
        except csv.Error:  # quotes that make sense with another delimiter only
            return 0

    best = max(DELIMITERS, key=names)
    return " " if names(best) < 2 and _cut_at_spaces(text) else best


def _cut_at_spaces(text: str) -> bool:
    """Whether the lines are like `a/1.png 3`. The first may be a header."""
    lines = [line.split(" ") for line in _NEWLINE.split(text) if line.strip()]
    if len({len(cells) for cells in lines}) != 1 or len(lines) < 2 or not all(map(all, lines)):
        return False
    places = zip(*lines[1:], strict=True)
    return len(lines[0]) > 1 and any(all(map(image_suffix, cells)) for cells in places)


def csv_text(rows: Iterable[Sequence[object]], delimiter: str = ",", newline: str = "\n") -> str:
    """Rows as the text of a table. A cell that holds the delimiter, a quote or any newline is
    quoted; csv itself leaves a carriage return bare where another newline ends the lines."""
    lines = list[str]()

    class Lines:
        def write(self, line: str) -> None:
            lines.append(line.removesuffix("\r\n"))

    csv.writer(Lines(), delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return "".join(f"{line}{newline}" for line in lines)


def _cells(text: str, delimiter: str, skip: bool = False) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=skip, strict=True
    )


@dataclass(frozen=True)
class Rows:
    """The rows of a text under its header.

    `columns`  the cells of the header
    `lines`    (N,) int64: the line on which each row begins
    `ragged`   a complaint for each row with more or fewer cells than the header
    `places`   (N + 1,) int64: which rows of the text they are, the header first; others are blank
    `blank`    how many rows between and before them are blank
    `skip`     whether spaces after a delimiter are left out, as quotes behind them ask for
    """

    text: str
    delimiter: str
    columns: tuple[str, ...]
    lines: Array
    ragged: tuple[str, ...]
    places: Array
    blank: int = 0
    skip: bool = False

    def frame(self) -> pd.DataFrame:
        """(N, C) text. The rows must not be ragged."""
        import pandas as pd

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
            skipinitialspace=self.skip,
            nrows=int(self.places[-1]) + 1,
            low_memory=False,
        )
        body = whole.iloc[self.places[1:]].reset_index(drop=True)
        body.columns = pd.Index(self.columns, dtype=object)
        return body


def parse(path: Path, text: str, delimiter: str, *, skip: bool = False) -> Rows:
    """The rows of a text, without the blank ones.

    skip: spaces between a delimiter and a quote are no part of the cell.

    Raises DataError for an empty text, and with the line for a quote that is left open.
    """
    skip = skip and re.search(f'{re.escape(delimiter)} +"', text) is not None
    count = _count_quoted if '"' in text else _count_plain
    lines, widths, full = count(path, text, delimiter, skip)
    places = np.flatnonzero(full)
    if not len(places):
        raise DataError(f"{path}: empty; a table begins with a line of column names")
    header = next(itertools.islice(_cells(text, delimiter, skip), int(places[0]), None))
    odd = places[widths[places] != len(header)]
    ragged = _ragged(_cells(text, delimiter, skip), odd, lines, len(header))
    return Rows(
        text,
        delimiter,
        tuple(header),
        lines[places[1:]],
        tuple(ragged),
        places,
        int(places[-1]) + 1 - len(places),
        skip,
    )


def _count_plain(_: Path, text: str, delimiter: str, __: bool) -> tuple[Array, Array, Array]:
    """The line on which each row begins, its number of cells, and whether it is not blank, of a
    text without quotes: each line is a row."""
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
    full = starts != ends
    widths[~full] = 0
    first_letter = letters[np.minimum(starts, max(0, len(letters) - 1))]
    for row in np.flatnonzero((widths == 1) & ((first_letter <= 32) | (first_letter > 127))):
        full[row] = bool(data[starts[row] : ends[row]].decode().strip())
    return np.arange(1, len(ends) + 1), widths, full


def _count_quoted(path: Path, text: str, delimiter: str, skip: bool) -> tuple[Array, Array, Array]:
    """The same of a text with quotes, in which a row may go over several lines."""
    reader = _cells(text, delimiter, skip)
    widths, ends, full = list[int](), [0], list[bool]()
    try:
        for row in reader:
            widths.append(len(row))
            ends.append(reader.line_num)
            full.append(len(row) > 1 or bool("".join(row).strip()))
    except csv.Error as problem:
        where = f"{path}: line {ends[-1] + 1}"
        raise DataError(f"{where}: {problem}; is a quote left open in that row?") from problem
    lines = np.array(ends[:-1], dtype=np.int64) + 1
    return lines, np.array(widths, dtype=np.int64), np.array(full, dtype=bool)


def _ragged(reader: Any, rows: Array, lines: Array, width: int) -> list[str]:
    if not len(rows):
        return []
    wanted = {*rows.tolist()}
    cells: dict[int, Sequence[str]] = {
        row: found for row, found in enumerate(reader) if row in wanted
    }
    return [
        f"line {lines[row]}: {len(found)} cells where the header has {width}: {first(found, 3)}"
        for row, found in cells.items()
    ]
