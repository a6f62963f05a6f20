"""The submission file: in the sample's columns, order and form, checked before it is written.

What is written is read back and judged as a competition would judge it, with all complaints at
once. A file that would be refused is never written.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp import files
from comp.data.tables import read_table
from comp.errors import CompError, ConfigError, DataError, SubmissionError, complain, first, nearest
from comp.metrics import Metric
from comp.tasks import Task

Array = np.ndarray[Any, Any]
_YES_NO = ("0", "1")


@dataclass(frozen=True)
class Sample:
    """What a submission must look like.

    `path`        the sample file, for messages
    `columns`     all columns of the header, in order
    `id_column`   which of them holds the ids
    `ids`         (N,) text, in the order of the file, each once
    `texts`       answer column -> the different cells that the sample holds there
    `header`      the bytes of its first line, a byte order mark included, without the newline
    """

    path: Path
    columns: tuple[str, ...]
    id_column: str
    ids: tuple[str, ...]
    texts: dict[str, frozenset[str]]
    header: bytes
    encoding: str = "utf-8"
    newline: str = "\n"
    final_newline: bool = True
    delimiter: str = ","

    @property
    def answers(self) -> tuple[str, ...]:
        """The columns that are to be filled in."""
        return tuple(name for name in self.columns if name != self.id_column)


@dataclass(frozen=True)
class Form:
    """What the answer cells hold.

    `classes`      the classes in the order of the labels and probabilities
    `cells`        labels, probs -> the cells of each answer column, in the order of the sample
    `allowed`      the texts that a cell may be (or, with a separator, be made of); None: a
                   probability, a number from 0 to 1
    `separator`    between the labels in one cell; None: one label a cell
    """

    classes: tuple[str, ...]
    cells: Callable[[Array, Array | None], list[list[str]]]
    allowed: frozenset[str] | None
    separator: str | None = None


def read_sample(path: Path, id_column: str) -> Sample:
    """The sample submission. The ids are in `id_column`, or in the first column without that one.

    Raises DataError for what `read_table` refuses, for repeated ids, no rows, no answer column.
    """
    table = read_table(path)
    key = id_column if id_column in table.columns else table.columns[0]
    ids = table.values[key]
    repeated = _repeated(ids)
    complaints = [f"ids repeated in column {key!r}: {first(repeated)}"] if repeated else []
    if not ids:
        complaints.append("no rows under the header")
    if len(table.columns) < 2:
        complaints.append(f"only one column, {key!r}; at least one answer column is needed")
    complain(DataError, f"{path}: not a sample submission:", complaints)
    return Sample(
        path=Path(path),
        columns=tuple(table.columns),
        id_column=key,
        ids=tuple(ids),
        texts={name: frozenset(table.values[name]) for name in table.columns if name != key},
        header=Path(path).read_bytes().split(b"\n", 1)[0].removesuffix(b"\r"),
        encoding=table.encoding,
        newline=table.newline,
        final_newline=table.final_newline,
        delimiter=table.delimiter,
    )


def make_sample(id_column: str, answers: Sequence[str], ids: Sequence[str]) -> Sample:
    """A plain sample for a competition that gives none: UTF-8, commas, ids in the given order."""
    columns = (id_column, *answers)
    texts: dict[str, frozenset[str]] = {name: frozenset() for name in answers}
    header = _lines([columns], ",", "\n").encode().removesuffix(b"\n")
    return Sample(Path("no sample"), columns, id_column, tuple(ids), texts, header)


def _repeated(values: Sequence[str]) -> list[str]:
    if len(set(values)) == len(values):
        return []
    seen: set[str] = set()
    again = [value for value in values if value in seen or seen.add(value)]  # type: ignore[func-returns-value]
    return list(dict.fromkeys(again))


def make_form(
    sample: Sample,
    task: Task,
    classes: Sequence[str],
    metric: Metric,
    write: str = "auto",
    separator: str | None = None,
) -> Form:
    """How the answers of a task fill the columns of a sample.

    Columns named like the classes are matched by name, in any order. A single other column takes
    the label, or the probability of the last of two classes; where an image has several labels,
    their names with `separator` (a space) between. write: `auto` (probabilities where the metric
    wants them or an image with one label has a column a class), `label` or `probability`.
    Raises SubmissionError for columns that do not fit, ConfigError where `write` cannot be done.
    """
    classes, answers = tuple(classes), sample.answers
    by_name = set(answers) == set(classes)
    single = len(answers) == 1 and (task.one_answer or answers[0] not in classes)
    if not by_name and not single:
        _refuse_columns(sample, task, classes)
    wants_probs = metric.wants == "probs" or (by_name and task.one_answer)
    probability = write == "probability" or (write == "auto" and wants_probs)
    if by_name:
        return _form_by_name(answers, classes, probability)
    if not task.one_answer:
        return _form_list(classes, " " if separator is None else separator, probability)
    if probability:
        return _form_one_probability(answers[0], classes)
    texts = _label_texts(classes, sample.texts[answers[0]])
    return Form(classes, lambda labels, _: [_named(texts, labels)], frozenset(texts))


def _refuse_columns(sample: Sample, task: Task, classes: tuple[str, ...]) -> None:
    missing = [name for name in classes if name not in sample.answers]
    extra = [name for name in sample.answers if name not in classes]
    wanted = "one answer column, or one a class" if task.one_answer else "a column for each class"
    complaints = [f"no column for the classes {first(missing)}"] if missing else []
    if extra:
        close = nearest(extra[0], missing)
        hint = f". Is {extra[0]!r} the class {close!r}?" if close else ""
        complaints.append(f"columns that are no class: {first(extra)}{hint}")
    heading = f"{sample.path}: its columns do not fit {task.name}, which has {wanted}:"
    complain(SubmissionError, heading, complaints)


def _form_by_name(answers: tuple[str, ...], classes: tuple[str, ...], probability: bool) -> Form:
    """A column a class: probabilities, or 0 and 1."""
    places = [classes.index(name) for name in answers]

    def probabilities(_: Array, probs: Array | None) -> list[list[str]]:
        found = _needed(probs)
        if found.shape[1] < len(classes):  # the one column is the last of two classes
            found = np.concatenate([1 - found, found], axis=1)
        return [_numbers(found[:, place]) for place in places]

    def zeros_and_ones(labels: Array, _: Array | None) -> list[list[str]]:
        table = labels if labels.ndim == 2 else labels[:, None] == np.arange(len(classes))
        return [_named(_YES_NO, table[:, place].astype(np.int64)) for place in places]

    if probability:
        return Form(classes, probabilities, None)
    return Form(classes, zeros_and_ones, frozenset(_YES_NO))


def _form_list(classes: tuple[str, ...], separator: str, probability: bool) -> Form:
    """One column with the names of all the labels of an image."""
    torn = [name for name in classes if not separator or separator in name]
    if probability or torn:
        why = f"the classes {first(torn)} hold the separator {separator!r}; set data.separator"
        if probability:
            why = "submission.write: one column cannot hold the probabilities of several labels"
        raise ConfigError(f"{why}. It is possible with a sample that has a column for each class.")

    def cells(labels: Array, _: Array | None) -> list[list[str]]:
        return [[separator.join(classes[c] for c in np.flatnonzero(row)) for row in labels]]

    return Form(classes, cells, frozenset(classes), separator)


def _form_one_probability(answer: str, classes: tuple[str, ...]) -> Form:
    """One column with the probability of the last of two classes."""
    if len(classes) != 2:
        raise ConfigError(
            f"submission.write: the one column {answer!r} cannot hold the probabilities of "
            f"{len(classes)} classes; write labels, or use a sample with a column for each class"
        )
    return Form(classes, lambda _, probs: [_numbers(_needed(probs)[:, -1])], None)


def _label_texts(classes: tuple[str, ...], found: frozenset[str]) -> tuple[str, ...]:
    """What stands for each class: its name, or its number where the sample speaks so of others."""
    numbers = tuple(str(number) for number in range(len(classes)))
    coded = found and found <= set(numbers) and not found & set(classes)
    return numbers if coded else classes


def _needed(probs: Array | None) -> Array:
    if probs is None:
        raise ConfigError(
            "the submission asks for probabilities, but a hard vote gives none: use `--vote soft`, "
            "or set `submission.write: label`"
        )
    return probs


def _named(texts: Sequence[str], labels: Array) -> list[str]:
    return list(np.array(texts, dtype=object)[labels])


def _numbers(values: Array) -> list[str]:
    """Nine significant digits: enough to give back every float32."""
    return ("%.9g\n" * len(values) % tuple(values.tolist())).split("\n")[:-1]


def render(
    sample: Sample, form: Form, ids: Sequence[str], labels: Array, probs: Array | None
) -> bytes:
    """The content of a submission. Rows are found by id, and stand in the order of the sample.

    Raises SubmissionError when the ids are not those of the sample, or a text does not fit its
    encoding.
    """
    rows = _rows_of(sample, ids)
    cells = form.cells(labels[rows], None if probs is None else probs[rows])
    filled = dict(zip(sample.answers, cells, strict=True)) | {sample.id_column: list(sample.ids)}
    lines = zip(*(filled[name] for name in sample.columns), strict=True)
    text = sample.newline + _lines(lines, sample.delimiter, sample.newline)
    if not sample.final_newline:
        text = text.removesuffix(sample.newline)
    try:
        return sample.header + text.encode(sample.encoding)
    except UnicodeEncodeError as problem:
        letter = problem.object[problem.start]
        raise SubmissionError(
            f"{sample.path}: is {sample.encoding} text, which has no {letter!r}; save it as UTF-8"
        ) from problem


def _lines(rows: Any, delimiter: str, newline: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return out.getvalue()


def _rows_of(sample: Sample, ids: Sequence[str]) -> Array:
    place = {name: row for row, name in enumerate(ids)}
    missing = [name for name in sample.ids if name not in place]
    wanted = set(sample.ids)
    extra = [name for name in ids if name not in wanted]
    complaints = [f"no answer for {len(missing)} ids: {first(missing)}"] if missing else []
    if extra:
        complaints.append(f"{len(extra)} answers that are not asked for: {first(extra)}")
    if len(place) < len(ids):
        complaints.append(f"ids answered twice: {first(_repeated(ids))}")
    counts = f"{len(sample.ids)} ids in the sample, {len(ids)} images answered"
    complain(SubmissionError, f"{sample.path}: {counts}:", complaints)
    return np.fromiter((place[name] for name in sample.ids), dtype=np.int64, count=len(wanted))


def write_submission(
    csv_path: Path,
    json_path: Path,
    sample: Sample,
    form: Form,
    *,
    ids: Sequence[str],
    labels: Array,
    probs: Array | None,
    manifest: dict[str, Any],
) -> None:
    """Write the submission, then its manifest, which makes it whole: `manifest` and the SHA-256.

    ids: (N,) in any order; labels: (N,) or (N, C); probs: (N, C) or None. The content is checked
    before anything is touched, and what is on the disk is compared with it afterwards. Raises
    SubmissionError with all complaints; the old file is then still there.
    """
    content = render(sample, form, ids, labels, probs)
    check_submission(content, sample, form, where=str(csv_path))
    digest = hashlib.sha256(content).hexdigest()
    _remove(json_path)
    files.write_bytes(csv_path, content)
    if files.digest_file(csv_path) != digest:
        raise SubmissionError(f"{csv_path}: not what was written; is the disk failing?")
    facts = {"file": csv_path.name, "rows": len(sample.ids), "sha256": digest}
    files.write_json(json_path, manifest | facts)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise CompError(f"{path}: cannot be replaced ({problem.strerror})") from problem


def check_submission(
    source: bytes | Path, sample: Sample, form: Form, *, where: str | None = None
) -> None:
    """Raise SubmissionError with everything for which this submission would be refused.

    source: a file, or the content of one. Columns and ids must be those of the sample, in its
    order; every cell a label that is allowed, or a number from 0 to 1.
    """
    content = source if isinstance(source, bytes) else _read(source)
    where = where or ("submission" if isinstance(source, bytes) else str(source))
    heading = f"{where}: would be refused:"
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode(sample.encoding)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=sample.delimiter))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise SubmissionError(
            f"{heading}\n  - not a {sample.encoding} table: {problem}"
        ) from problem
    while rows and not rows[-1]:
        rows.pop()
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    complaints = [*_column_complaints(header, sample), *_shape_complaints(header, body, sample)]
    if not any(len(row) != len(header) for row in body):
        cells = list(zip(*body, strict=True)) if body else [()] * len(header)
        table = dict(zip(header, cells, strict=True))
        complaints += _id_complaints(table.get(sample.id_column, sample.ids), sample)
        complaints += _cell_complaints(table, sample, form)
    complain(SubmissionError, heading, complaints)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SubmissionError(f"{path}: cannot be read ({problem.strerror})") from problem


def _column_complaints(header: Sequence[str], sample: Sample) -> list[str]:
    missing = [name for name in sample.columns if name not in header]
    extra = [name for name in header if name not in sample.columns]
    out = [f"Required column {name!r} could not be found" for name in missing]
    out += [f"Unexpected Column: {name!r}" for name in extra]
    out += [f"column {name!r} is there twice" for name in _repeated(header)]
    if not out and tuple(header) != sample.columns:
        out.append(f"columns in another order: {first(header)}; wanted {first(sample.columns)}")
    return out


def _shape_complaints(
    header: Sequence[str], body: Sequence[Sequence[str]], sample: Sample
) -> list[str]:
    ragged = [number for number, row in enumerate(body, 2) if len(row) != len(header)]
    out = []
    if len(body) != len(sample.ids):
        out.append(f"Submission must have {len(sample.ids)} rows; it has {len(body)}")
    if ragged:
        out.append(f"{len(ragged)} rows without {len(header)} cells: rows {first(ragged)}")
    return out


def _id_complaints(ids: Sequence[str], sample: Sample) -> list[str]:
    if tuple(ids) == sample.ids:
        return []
    wanted, found = set(sample.ids), set(ids)
    groups = {
        "ids missing": [name for name in sample.ids if name not in found],
        "ids that are not asked for": [name for name in dict.fromkeys(ids) if name not in wanted],
        "ids repeated": _repeated(ids),
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
