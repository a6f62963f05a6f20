"""A row for each image and class: where each answer stands in a table of images by classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from comp.core.errors import SubmissionError, complain, first
from comp.data.index.data_tables import is_usage, read_data_table
from comp.data.labels.sample_pairs import class_column, sample_pairs
from comp.submission.formats.format import Array, Competition
from comp.submission.sample import Sample, sample_of


@dataclass(frozen=True, eq=False)
class LongRows:
    """The rows of a sample with a row for each image and class.

    `images`   (N,) the images, each once
    `classes`  (C,) the classes, each once
    `rows`     (R,) which image each row is for
    `columns`  (R,) which class
    """

    images: tuple[str, ...]
    classes: tuple[str, ...]
    rows: Array
    columns: Array

    def flat(self, columns: Sequence[Sequence[str]]) -> list[str]:
        """(R,) the cells of the rows from those of C columns, each (N,)."""
        pairs = zip(self.rows.tolist(), self.columns.tolist(), strict=True)
        return [columns[column][row] for row, column in pairs]

    def by_class(self, cells: Array) -> dict[str, float]:
        """The mean of each class from a number for each row, (R,)."""
        sums = np.bincount(self.columns, cells, len(self.classes))
        counts = np.bincount(self.columns, minlength=len(self.classes))
        return dict(zip(self.classes, (sums / counts).tolist(), strict=True))


def read_long_sample(competition: Competition) -> tuple[Sample, LongRows] | None:
    """The sample of a competition and what its rows are; None where a row is an image.

    Raises SubmissionError where its classes are not those of the task, or no single column is left
    for the answers.
    """
    if competition.sample is None:
        return None
    table = read_data_table(competition.sample, competition.data)
    key = competition.data.id
    key = key if key in table.columns else table.columns[0]
    found = sample_pairs(table, key, {*competition.test.ids}.__contains__)
    if found is None:
        return None
    names = tuple(dict.fromkeys(str(code) for code in found.codes))
    column = None if found.joined else class_column(table, key)
    rest = [name for name in table.columns if name not in (key, column)]
    usage = [name for name in rest if is_usage(table, name)]
    answers = [name for name in rest if name not in usage]
    other = sorted({*names} ^ {*competition.classes})
    complaints = [f"its classes and those of the task differ: {first(other)}"] if other else []
    if len(answers) != 1:
        complaints.append(f"which column is the answer? {first(answers) or 'none is left'}")
    complain(
        SubmissionError,
        f"{table.path}: a row for each image and class, which does not fit:",
        complaints,
    )
    image = {name: place for place, name in enumerate(found.ids)}
    place = {name: number for number, name in enumerate(names)}
    rows = LongRows(
        found.ids,
        names,
        np.array([image[name] for name in found.images], dtype=np.int64),
        np.array([place[str(code)] for code in found.codes], dtype=np.int64),
    )
    return sample_of(table, key, [*([column] if column else []), *usage]), rows
