"""A submission that is a table, held against its sample: columns, rows and ids."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from comp.core.errors import SubmissionError, first, repeated
from comp.submission.sample import Sample

_BOM = b"\xef\xbb\xbf"


def read_delimited(path: Path, sample: Sample) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns of a file, and what is wrong with them but for the answer cells.

    Columns and ids must be those of the sample, in its order. No columns where lines have not as
    many cells as the header. Raises SubmissionError for a file that cannot be read.
    """
    try:
        text = _read_bytes(path).removeprefix(_BOM).decode(sample.encoding)
        rows = _rows(text, sample.delimiter)
    except (UnicodeDecodeError, csv.Error) as problem:
        return {}, [f"not a {sample.encoding} table: {problem}"]
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    odd = [number for number, row in enumerate(body, 2) if len(row) != len(header)]
    complaints = _column_complaints(header, sample)
    if len(body) != len(sample.ids):
        complaints.append(f"Submission must have {len(sample.ids)} rows; it has {len(body)}")
    if odd:
        complaints.append(f"{len(odd)} rows without {len(header)} cells: rows {first(odd)}")
        return {}, complaints
    cells = zip(*body, strict=True) if body else (() for _ in header)
    columns = dict(zip(header, cells, strict=True))
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
    line = _read_bytes(path).split(b"\n", 1)[0]
    if line.startswith(_BOM) != sample.header.startswith(_BOM):
        has, other = ("a", "none") if line.startswith(_BOM) else ("no", "one")
        out.append(f"the file has {has} byte order mark, the sample has {other}")
    if line.endswith(b"\r") != (sample.newline == "\r\n"):
        out.append(f"lines do not end as in the sample ({sample.newline!r})")
    return out


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SubmissionError(f"{path}: cannot be read ({problem.strerror})") from problem


def _rows(text: str, delimiter: str) -> list[Sequence[str]]:
    """The cells of each line, without empty lines at the end."""
    if '"' in text or "\r" in text.replace("\r\n", ""):
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        while rows and not rows[-1]:
            rows.pop()
        return list(rows)
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")  # half the time of a reader
    return [line.split(delimiter) for line in lines] if text.strip("\r\n") else []


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
    if tuple(ids) == sample.ids:
        return []
    wanted, found = set(sample.ids), set(ids)
    groups = {
        "ids missing": [name for name in sample.ids if name not in found],
        "ids that are not in the sample": [n for n in dict.fromkeys(ids) if n not in wanted],
        "ids repeated": repeated(ids),
    }
    out = [f"{len(names)} {what}: {first(names)}" for what, names in groups.items() if names]
    if not out:
        moved = [name for name, own in zip(ids, sample.ids, strict=True) if name != own]
        out = [f"{len(moved)} rows are not in the order of the sample: {first(moved)}"]
    return out
