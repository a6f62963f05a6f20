"""A submission that is a table, held against its sample: columns, rows and ids."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from comp.core.errors import SubmissionError, first, repeated, unreadable
from comp.data.index.data_tables import bare, header_names
from comp.data.index.encodings import MARKS
from comp.submission.sample import Sample

_MARK = defaultdict(bytes, {name: mark for mark, name in MARKS})

# Header, number of rows, numbers of the lines with too few or many cells, and the columns.
_Parsed = tuple[list[str], int, list[int], dict[str, tuple[str, ...]]]


def read_delimited(path: Path, sample: Sample) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns of a file, and what is wrong with them but for the answer cells.

    Columns and ids must be those of the sample, in its order. No columns where lines have not as
    many cells as the header. Raises SubmissionError for a file that cannot be read.
    """
    form = sample.form
    try:
        text = _read_bytes(path).removeprefix(_MARK[form.encoding]).decode(form.encoding)
        if form.headless:
            text = form.delimiter.join(sample.columns) + "\n" + text
        header, rows, odd, columns = _plain(text, form.delimiter) or _any(text, form.delimiter)
    except (UnicodeDecodeError, csv.Error) as problem:
        return {}, [f"not a {form.encoding} table: {problem}"]
    names = header_names(header, sample.columns)
    columns = {name: columns[cell] for name, cell in zip(names, header, strict=True)}
    header = names
    complaints = _column_complaints(header, sample)
    if rows != len(sample.ids):
        complaints.append(f"Submission must have {len(sample.ids)} rows; it has {rows}")
    if odd:
        complaints.append(f"{len(odd)} rows without {len(header)} cells: rows {first(odd)}")
        return {}, complaints
    complaints += _id_complaints(columns.get(sample.id_column, sample.ids), sample)
    complaints += [
        f"column {name!r} is not as in the sample"
        for name, fixed in sample.fixed.items()
        if not complaints and columns.get(name) != fixed
    ]
    return columns, complaints


def form_warnings(path: Path, sample: Sample) -> list[str]:
    """How the bytes around the cells differ from the sample's; sites read them all the same."""
    out = []
    content, mark = _read_bytes(path), _MARK[sample.form.encoding]
    has = bool(mark) and content.startswith(mark)
    if has != sample.form.bom:
        said, other = ("a", "none") if has else ("no", "one")
        out.append(f"the file has {said} byte order mark, the sample has {other}")
    text = content.removeprefix(mark).decode(sample.form.encoding, errors="replace")
    newline = re.search(r"\r?\n|\r", text)
    if newline and newline[0] != sample.form.newline:
        out.append(f"lines do not end as in the sample ({sample.form.newline!r})")
    return out


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SubmissionError(f"{path}: {unreadable(problem)}") from problem


def _plain(text: str, delimiter: str) -> _Parsed | None:
    """A text without quotes whose lines have as many cells as the header, in a third of the time of
    a reader; None for any other text."""
    text = text.replace("\r\n", "\n").rstrip("\n")
    lines = text.split("\n")
    width = lines[0].count(delimiter) + 1
    plain = text and '"' not in text and "\r" not in text
    if not plain or any(line.count(delimiter) != width - 1 for line in lines):
        return None
    cells = text.replace("\n", delimiter).split(delimiter)
    header = cells[:width]
    columns = {name: tuple(cells[place::width]) for place, name in enumerate(header, width)}
    return header, len(lines) - 1, [], columns


def _any(text: str, delimiter: str) -> _Parsed:
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    while rows and not rows[-1]:
        rows.pop()
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    odd = [number for number, row in enumerate(body, 2) if len(row) != len(header)]
    cells = zip(*body, strict=True) if body and not odd else (() for _ in header)
    return header, len(body), odd, dict(zip(header, cells, strict=True))


def _column_complaints(header: Sequence[str], sample: Sample) -> list[str]:
    missing = [name for name in sample.columns if name not in header]
    extra = [name for name in header if name not in sample.columns]
    out = [f"Required column {name!r} could not be found" for name in missing]
    out += [f"Unexpected Column: {name!r}" for name in extra]
    out += [f"column {name!r} is there twice" for name in repeated(header)]
    if not out and tuple(header) != sample.columns:
        out.append(f"columns in another order: {first(header)}; wanted {first(sample.columns)}")
    return out


def _id_complaints(ids: Sequence[str], sample: Sample) -> list[str]:
    if tuple(ids) in (sample.ids, sample.id_cells):
        return []
    ids = [*map(bare, ids)] if sample.id_cells else ids
    if tuple(ids) == sample.ids:
        return []
    wanted, found = set(sample.ids), set(ids)
    groups = {
        "ids missing": [name for name in sample.ids if name not in found],
        "ids that are not in the sample": [n for n in dict.fromkeys(ids) if n not in wanted],
        "ids repeated": sorted({*repeated(ids)} - {*repeated(sample.ids)}),
    }
    out = [f"{len(names)} {what}: {first(names)}" for what, names in groups.items() if names]
    if not out:
        moved = [name for name, own in zip(ids, sample.ids, strict=True) if name != own]
        out = [f"{len(moved)} rows are not in the order of the sample: {first(moved)}"]
    return out
