"""The sample submission of a competition, and a submission written in the same form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from comp.config.schema import DataConfig
from comp.core.errors import DataError, SubmissionError, complain, first, repeated
from comp.data.index.data_tables import is_usage, read_data_table
from comp.data.index.table_text import TextForm, csv_text
from comp.data.index.tables import Table


@dataclass(frozen=True)
class Sample:
    """What a submission must look like.

    `path`        the sample file, for messages
    `columns`     all columns of the header, in order
    `id_column`   which of them holds the ids
    `ids`         (N,) text, in the order of the file, each once
    `texts`       answer column -> the different cells that the sample has there
    `form`        how the text of the file is written
    `fixed`       columns that are copied from the sample: column -> (N,) cells
    `id_cells`    (N,) the ids as the file writes them; empty: as in `ids`
    """

    path: Path
    columns: tuple[str, ...]
    id_column: str
    ids: tuple[str, ...]
    texts: dict[str, frozenset[str]]
    form: TextForm = field(default_factory=TextForm)
    fixed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    id_cells: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """The columns that the submission fills in."""
        return tuple(n for n in self.columns if n != self.id_column and n not in self.fixed)


def read_sample(
    path: Path, id_column: str, data: DataConfig | None = None, classes: Sequence[str] = ()
) -> Sample:
    """The sample submission. The ids are in `id_column`, or in the first column without that one.

    data: how its text is read, and the columns of the labels. classes: where each has a column, or
    the one column of labels is there, the other columns are copied, as a column `Usage` is.
    Raises DataError for what `read_data_table` refuses, repeated ids, no rows, no answer column.
    """
    data = DataConfig(root=".") if data is None else data
    table = read_data_table(path, data)
    key = id_column if id_column in table.columns else table.columns[0]
    ids = table.values[key]
    again = repeated(ids)
    complaints = [f"ids repeated in column {key!r}: {first(again)}"] if again else []
    if not ids:
        complaints.append("no rows under the header")
    if len(table.columns) < 2:
        complaints.append(f"only one column, {key!r}; at least one answer column is needed")
    complain(DataError, f"{path}: not a sample submission:", complaints)
    return sample_of(table, key, _copied(table, key, data.target, classes))


def _copied(table: Table, key: str, target: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The columns of a sample that are no answers."""
    rest = [name for name in table.columns if name != key]
    for wanted in (classes, target if len(target) == 1 else ()):
        if wanted and {*wanted} <= {*rest}:
            return [name for name in rest if name not in wanted]
    usage = [name for name in rest if is_usage(table, name)]
    return usage if len(usage) < len(rest) else []


def sample_of(table: Table, key: str, fixed: Sequence[str] = ()) -> Sample:
    """The sample in a table. key: the column of ids; fixed: the columns that are copied."""
    columns = {name: tuple(cells) for name, cells in table.values.items()}
    written = {name: tuple(cells) for name, cells in table.written.items()}
    order = table.order or table.columns
    left_out = [name for name in order if name not in columns]
    return Sample(
        path=Path(table.path),
        columns=order,
        id_column=key,
        ids=columns[key],
        texts={name: frozenset(cells) for name, cells in columns.items() if name != key},
        form=table.form,
        fixed={name: written.get(name) or columns[name] for name in (*fixed, *left_out)},
        id_cells=written.get(key, ()),
    )


def make_sample(id_column: str, answers: Sequence[str], ids: Sequence[str]) -> Sample:
    """A plain sample for a competition that gives none: UTF-8, commas, ids in the given order."""
    columns = (id_column, *answers)
    texts: dict[str, frozenset[str]] = {name: frozenset() for name in answers}
    return Sample(Path("no sample"), columns, id_column, tuple(ids), texts)


def render(sample: Sample, answers: Mapping[str, Sequence[str]]) -> bytes:
    """The content of a submission. answers: answer column -> its cells, in the sample's order.

    Raises SubmissionError when a text does not fit the encoding of the sample.
    """
    columns = {sample.id_column: sample.id_cells or sample.ids, **sample.fixed, **answers}
    rows = zip(*(columns[name] for name in sample.columns), strict=True)
    form, header = sample.form, sample.form.header or b""
    text = form.newline if header else _lines([sample.columns], form)
    if form.headless:
        header, text = form.mark, ""
    text += _lines(rows, form)
    if not form.final_newline:
        text = text.removesuffix(form.newline)
    try:
        return header + text.encode(form.encoding)
    except UnicodeEncodeError as problem:
        letter = problem.object[problem.start]
        raise SubmissionError(
            f"{sample.path}: is {form.encoding} text, which has no {letter!r}; save it as UTF-8"
        ) from problem


def _lines(rows: Iterable[Sequence[str]], form: TextForm) -> str:
    """Rows of cells as the text of a table, quoted where they must be."""
    rows, newline, delimiter = list(rows), form.newline, form.delimiter
    text = newline.join(map(delimiter.join, rows)) + newline if rows else ""
    ends = text.count("\n") + text.count("\r")
    cells = sum(map(len, rows))
    plain = ends == len(rows) * len(newline) and '"' not in text
    if plain and text.count(delimiter) == cells - len(rows):  # nothing in a cell needs quotes
        return text
    return csv_text(rows, delimiter, newline)
