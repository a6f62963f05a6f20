"""The gate: a submission as a competition would judge it, with all complaints at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comp.core.errors import SubmissionError, complain, first, repeated
from comp.submission.form import Form
from comp.submission.sample import Sample

_BOM = b"\xef\xbb\xbf"


def check_submission(
    source: bytes | Path, sample: Sample, form: Form, *, where: str | None = None
) -> dict[str, tuple[str, ...]]:
    """The columns of a submission, once nothing speaks against it.

    source: a file, or the content of one. Columns and ids must be those of the sample, in its
    order; every cell a label that is allowed, or a number from 0 to 1. Raises SubmissionError with
    everything for which it would be refused.
    """
    content = source if isinstance(source, bytes) else read_bytes(source)
    where = where or ("submission" if isinstance(source, bytes) else str(source))
    heading = f"{where}: would be refused:"
    try:
        text = content.removeprefix(_BOM).decode(sample.encoding)
        cut = _cut_plain(text, sample.delimiter) or _cut(text, sample.delimiter)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise SubmissionError(
            f"{heading}\n  - not a {sample.encoding} table: {problem}"
        ) from problem
    complaints = [*_column_complaints(cut.header, sample), *_shape_complaints(cut, sample)]
    table: dict[str, tuple[str, ...]] = {}
    if cut.columns is not None:
        table = dict(zip(cut.header, cut.columns, strict=True))
        complaints += _id_complaints(table.get(sample.id_column, sample.ids), sample)
        complaints += [
            f"column {name!r} is not as in the sample"
            for name, cells in sample.fixed.items()
            if not complaints and table.get(name) != cells
        ]
        complaints += _cell_complaints(table, sample, form)
    complain(SubmissionError, heading, complaints)
    return table


@dataclass(frozen=True)
class _Cut:
    """A table cut into cells; `ragged` lines do not have as many as the header: then no columns."""

    header: list[str]
    rows: int
    ragged: list[int]
    columns: list[tuple[str, ...]] | None


def _cut_plain(text: str, delimiter: str) -> _Cut | None:
    """The cells of a text without quotes and with as many in each line, several times faster than
    a reader; None for any other text."""
    text = text.replace("\r\n", "\n").rstrip("\n")
    lines = text.split("\n")
    width = lines[0].count(delimiter)
    plain = text and '"' not in text and "\r" not in text
    if not plain or any(line.count(delimiter) != width for line in lines):
        return None
    cells = text.replace("\n", delimiter).split(delimiter)
    step = width + 1
    columns = [tuple(cells[place::step]) for place in range(step, 2 * step)]
    return _Cut(cells[:step], len(lines) - 1, [], columns)


def _cut(text: str, delimiter: str) -> _Cut:
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    while rows and not rows[-1]:
        rows.pop()
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    ragged = [number for number, row in enumerate(body, 2) if len(row) != len(header)]
    cells: list[tuple[str, ...]] = [() for _ in header]
    if body and not ragged:
        cells = list(zip(*body, strict=True))
    return _Cut(header, len(body), ragged, None if ragged else cells)


def read_bytes(path: Path) -> bytes:
    """The content of a file; SubmissionError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SubmissionError(f"{path}: cannot be read ({problem.strerror})") from problem


def _column_complaints(header: Sequence[str], sample: Sample) -> list[str]:
    missing = [name for name in sample.columns if name not in header]
    extra = [name for name in header if name not in sample.columns]
    out = [f"Required column {name!r} could not be found" for name in missing]
    out += [f"Unexpected Column: {name!r}" for name in extra]
    out += [f"column {name!r} is there twice" for name in repeated(header)]
    if not out and tuple(header) != sample.columns:
        out.append(f"columns in another order: {first(header)}; wanted {first(sample.columns)}")
    return out


def _shape_complaints(cut: _Cut, sample: Sample) -> list[str]:
    out = []
    if cut.rows != len(sample.ids):
        out.append(f"Submission must have {len(sample.ids)} rows; it has {cut.rows}")
    if cut.ragged:
        wide = len(cut.header)
        out.append(f"{len(cut.ragged)} rows without {wide} cells: rows {first(cut.ragged)}")
    return out


def _id_complaints(ids: Sequence[str], sample: Sample) -> list[str]:
    if tuple(ids) == sample.ids:
        return []
    wanted, found = set(sample.ids), set(ids)
    groups = {
        "ids missing": [name for name in sample.ids if name not in found],
        "ids that are not asked for": [name for name in dict.fromkeys(ids) if name not in wanted],
        "ids repeated": repeated(ids),
    }
    out = [f"{len(names)} {what}: {first(names)}" for what, names in groups.items() if names]
    if not out:
        moved = [name for name, own in zip(ids, sample.ids, strict=True) if name != own]
        out = [f"{len(moved)} rows are not in the order of the sample: {first(moved)}"]
    return out


def _cell_complaints(table: dict[str, tuple[str, ...]], sample: Sample, form: Form) -> list[str]:
    """One complaint a kind of fault, over all answer columns."""
    ids = table.get(sample.id_column, ())
    faults: dict[str, list[str]] = {}
    for column in sample.answers:
        cells = table.get(column, ())
        if form.fault is not None:
            told = [(row, form.fault(row, cell)) for row, cell in enumerate(cells)]
            for row, what in told:
                if what is not None:
                    name = " ".join((ids[row], *(f[row] for f in sample.fixed.values())))
                    faults.setdefault(what, []).append(f"{name}: {cells[row][:40]!r}")
            continue
        if form.allowed is None and _are_probabilities(cells):
            continue
        wrong = {cell: what for cell in set(cells) if (what := _fault(cell, form))}
        rows = [row for row, cell in enumerate(cells) if cell in wrong] if wrong else []
        for row in rows:
            name = ids[row] if row < len(ids) else f"row {row + 2}"
            faults.setdefault(wrong[cells[row]], []).append(f"{name}, {column}: {cells[row]!r}")
    return [_listed(what, cells) for what, cells in faults.items()]


def _listed(what: str, cells: list[str]) -> str:
    more = f"; and {len(cells) - 5} more" if len(cells) > 5 else ""
    return f"{len(cells)} cells {what}: {'; '.join(cells[:5])}{more}"


def _fault(cell: str, form: Form) -> str | None:
    """What is wrong with a cell, or None."""
    if form.allowed is None:
        return _number_fault(cell)
    parts = cell.split(form.separator) if form.separator and cell else [cell]
    if form.separator and not cell:
        return None  # an image without labels
    if all(part in form.allowed for part in parts) and len(set(parts)) == len(parts):
        return None
    if cell.strip().lower() in ("", "nan"):
        return "are empty or NaN"
    return f"are no label ({first(sorted(form.allowed))})"


def _are_probabilities(cells: Sequence[str]) -> bool:
    """Whether every cell is a number from 0 to 1: the quick look at a whole column."""
    try:
        values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
    except ValueError:
        return False
    return bool(((values >= 0) & (values <= 1)).all())


def _number_fault(cell: str) -> str | None:
    try:
        value = float(cell)
    except ValueError:
        return "are not a number" if cell.strip() else "are empty or NaN"
    if value != value:
        return "are empty or NaN"
    return None if 0 <= value <= 1 else "are outside 0 to 1"
