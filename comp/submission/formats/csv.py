"""Labels or probabilities in the columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from comp.core.errors import SubmissionError, complain, first, repeated
from comp.data.index.data_tables import read_any
from comp.data.index.tables import Table
from comp.data.labels.sample_pairs import class_column
from comp.submission.diff import Diff
from comp.submission.formats.cells import Cells, make_cells
from comp.submission.formats.delimited import form_warnings, read_delimited
from comp.submission.formats.format import Answers, Array, Columns, Competition
from comp.submission.formats.long_rows import LongRows, read_long_sample
from comp.submission.sample import Sample, make_sample, read_sample, render

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 6


@dataclass(frozen=True)
class CsvFormat:
    """A row per image, or per image and class, as in the sample; see `Format`."""

    sample: Sample
    content: Cells
    suffix: ClassVar[str] = ".csv"

    @property
    def needs_probs(self) -> bool:
        return self.content.allowed is None or self.content.most is not None

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        data = competition.data
        found = read_long_sample(competition)
        if found is not None:
            return cls._of_long_rows(competition, *found)
        if competition.sample is not None:
            sample = read_sample(competition.sample, data.id, data, competition.classes)
        else:
            sample = make_sample(data.id, data.target or ("label",), competition.test.ids)
        cells = make_cells(
            sample,
            competition.task,
            competition.classes,
            competition.metric,
            competition.write,
            data.separator,
            competition.likely,
            competition.decimals,
        )
        return cls(sample, cells)

    @classmethod
    def _of_long_rows(cls, competition: Competition, sample: Sample, long: LongRows) -> Self:
        """The format of a sample with a row for each image and class: that of a column for each
        class, cell by cell."""
        wide = make_sample(sample.id_column, long.classes, long.images)
        texts = sample.texts[sample.answers[0]]
        wide = replace(wide, texts=dict.fromkeys(long.classes, texts))
        task, classes = competition.task, competition.classes
        cells = make_cells(
            wide,
            task,
            classes,
            competition.metric,
            competition.write,
            decimals=competition.decimals,
        )
        fill = cells.fill
        return cls(
            sample,
            replace(
                cells,
                answers=sample.answers,
                fill=lambda labels, probs: [long.flat(fill(labels, probs))],
                long=long,
                wide=cells,
            ),
        )

    def columns(self, ids: Sequence[str], labels: Array, probs: Array | None) -> Columns:
        """The answer columns in the order of the sample; shapes as in `Answers`."""
        long = self.content.long
        rows = _rows_of(self.sample.path, self.sample.ids if long is None else long.images, ids)
        return self.content.columns(labels[rows], None if probs is None else probs[rows])

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        pieces = list(answers)
        ids = [name for piece in pieces for name in piece.ids]
        labels = np.concatenate([piece.labels for piece in pieces])
        given = [piece.probs for piece in pieces if piece.probs is not None]
        columns = self.columns(ids, labels, np.concatenate(given) if given else None)
        path.write_bytes(render(self.sample, columns))
        return columns, len(self.sample.ids)

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        columns, complaints = read_delimited(path, self.sample)
        complaints += self.content.complaints(columns, self.sample)
        return {name: columns.get(name, ()) for name in self.sample.answers}, complaints

    def check(self, path: Path, columns: Columns) -> list[str]:
        return form_warnings(path, self.sample) + self._given_to_all(columns)

    def _given_to_all(self, columns: Columns) -> list[str]:
        """Labels that every row has, where each label has a column."""
        if self.content.allowed is None or len(columns) < 2:
            return []
        one = self.content.one
        always = [name for name, cells in columns.items() if set(cells) == {one}]
        if not always:
            return []
        more = f" and {len(always) - _SHOWN} more" if len(always) > _SHOWN else ""
        names = f"{', '.join(always[:_SHOWN])}{more}"
        return [f"{len(always)} of {len(columns)} labels are given to every row: {names}"]

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        return _compare(read_any(one), read_any(two), id_column)


def _rows_of(path: Path, listed: Sequence[str], ids: Sequence[str]) -> Array:
    """The row of `ids` of each id that the sample in `path` lists."""
    place = {name: row for row, name in enumerate(ids)}
    missing = [name for name in listed if name not in place]
    wanted = set(listed)
    extra = [name for name in ids if name not in wanted]
    complaints = [f"no answer for {len(missing)} ids: {first(missing)}"] if missing else []
    if extra:
        complaints.append(f"{len(extra)} answers to ids that are not in it: {first(extra)}")
    if len(place) < len(ids):
        complaints.append(f"ids answered twice: {first(repeated(ids))}")
    counts = f"{len(listed)} ids in the sample, {len(ids)} images answered"
    complain(SubmissionError, f"{path}: {counts}:", complaints)
    return np.fromiter((place[name] for name in listed), dtype=np.int64, count=len(wanted))


def _compare(one: Table, two: Table, id_column: str | None) -> Diff:
    key = id_column if id_column in one.columns else one.columns[0]
    column = class_column(one, str(key))
    if column is not None and column in two.columns:  # a row for each image and class
        one, two = (_one_key(table, str(key), column) for table in (one, two))
    _refuse_others(one, two, str(key))
    old = one.frame.set_index(key)
    new = two.frame.set_index(key).loc[old.index, old.columns]
    changed = old != new
    changes: Counter[tuple[str, str, str]] = Counter()
    numbers = {}
    for column in old.columns:
        distance = _distance(old[column], new[column])
        if distance is not None:
            numbers[column] = distance
            continue
        rows = changed[column]
        pairs = zip(old[column][rows], new[column][rows], strict=True)
        changes.update((column, before, after) for before, after in pairs)
    ids = tuple(old.index[changed.any(axis=1)])
    return Diff(len(old), ids, dict(changes.most_common()), numbers)


def _one_key(table: Table, key: str, column: str) -> Table:
    """The table with the class in the id."""
    pairs = zip(table.values[key], table.values[column], strict=True)
    rest = [name for name in table.columns if name != column]
    return table.but(**{key: [" ".join(pair) for pair in pairs]}).only(*rest)


def _refuse_others(one: Table, two: Table, key: str) -> None:
    """SubmissionError for other columns or other ids."""
    heading = f"{one.path} and {two.path} cannot be compared:"
    other = sorted({*one.columns} ^ {*two.columns})
    complain(SubmissionError, heading, [f"columns of one only: {first(other)}"] if other else [])
    complaints = []
    for table, others in ((one, two), (two, one)):
        ids, rest = set(table.values[key]), set(others.values[key])
        if ids - rest:
            only = sorted(ids - rest)
            complaints.append(f"{len(only)} ids of {table.path} only: {first(only)}")
        if len(ids) < len(table):
            complaints.append(f"ids repeated in {table.path}")
    complain(SubmissionError, heading, complaints)


def _distance(old: pd.Series[str], new: pd.Series[str]) -> tuple[float, float] | None:
    """Mean and largest absolute difference of two columns of numbers; None where they are labels:
    whole numbers, or no numbers at all."""
    try:
        a, b = old.to_numpy(dtype=float), new.to_numpy(dtype=float)
    except ValueError:
        return None
    if not len(a) or ((a == a.round()).all() and (b == b.round()).all()):
        return None
    return float(np.abs(a - b).mean()), float(np.abs(a - b).max())
