"""Run lengths in the rows of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from comp.core.errors import DataError, SubmissionError, complain, first
from comp.core.progress import say
from comp.data.index.data_tables import is_usage, read_any, read_data_table
from comp.data.index.sample_rows import read_sample_rows, row_complaints
from comp.data.index.tables import Table
from comp.data.masks import rle
from comp.submission.diff import Diff
from comp.submission.formats.cells import listed
from comp.submission.formats.delimited import form_warnings, read_delimited
from comp.submission.formats.format import Answers, Columns, Competition
from comp.submission.formats.mask_diff import ENDLESS, Regions, compare_regions
from comp.submission.formats.masks import Found, MaskRows, mask_rows, own_rows
from comp.submission.sample import Sample, render, sample_of

# How competitions write an empty mask, besides with nothing
_EMPTY = frozenset(
    (
        *("-1", "-", "nan", "NaN", "None", "none", "null", "N/A", "NA", "n/a", "[]"),
        *("empty", "Empty", "EMPTY", "0", "0 0", "1 0"),
    )
)


def runs_in(cell: str, empty: str = "") -> str:
    """The run lengths in a cell: nothing where it says that a mask is empty."""
    return "" if cell.strip() in {*_EMPTY, empty} else cell


def _said_in(texts: Collection[str]) -> str:
    """What a sample with these cells says for an empty mask: one of `_EMPTY`, if only that one."""
    said = {text.strip() for text in texts} & {*_EMPTY, ""}
    return said.pop() if len(said) == 1 else ""


@dataclass(frozen=True)
class RleFormat:
    """A row per image and class, as in the sample; see `Format`.

    `empty`   what is written for an empty mask
    `doubts`  what in the sample may mean an empty mask, and is not taken for one: sentences
    """

    sample: Sample
    content: MaskRows
    empty: str = ""
    doubts: tuple[str, ...] = ()
    needs_probs: ClassVar[bool] = False
    suffix: ClassVar[str] = ".csv"

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        path, empty = competition.sample, competition.empty.strip()
        if path is None:
            return cls(*own_rows(competition), "" if empty == "auto" else empty)
        table = read_data_table(path, competition.data)
        key = competition.data.id if competition.data.id in table.columns else table.columns[0]
        rows = read_sample_rows(table, key, set(competition.test.ids).__contains__)
        competition = competition.called(rows.codes)
        codes = competition.codes
        complaints = row_complaints(rows, codes)
        if None in rows.codes and len(codes) > 1:
            complaints.append(f"its rows name no class, and there are {len(codes)}: {first(codes)}")
        usage = [name for name in table.columns if is_usage(table, name)]
        rest = [name for name in table.columns if name != key and name not in usage]
        if not rest:
            complaints.append(f"only one column, {key!r}; a column of run lengths is needed")
        complain(DataError, f"{path}: not a sample of masks:", complaints)
        sample = sample_of(table, key, [*rest[:-1], *usage])
        content = mask_rows(competition, rows)
        if empty != "auto":
            return cls(sample, content, empty)
        cells = table.values[rest[-1]]
        return cls(sample, content, _said_in({*cells}), _placeholders(path, cells))

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        found: Found = {}
        for _ in self.content.recorded(answers, found):
            pass  # the run lengths are all that is written
        columns = self.content.column(self.sample, found)
        lost = sum(cell == self.empty for cells in columns.values() for cell in cells if cell)
        if lost:
            say(f"note: {lost} masks have the run lengths {self.empty!r}, which mean an empty mask")
        columns = {n: tuple(runs_in(cell, self.empty) for cell in c) for n, c in columns.items()}
        written = {n: [cell or self.empty for cell in cells] for n, cells in columns.items()}
        path.write_bytes(render(self.sample, written))
        return columns, len(self.sample.ids)

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        columns, complaints = read_delimited(path, self.sample)
        name = self.sample.answers[0]
        cells = tuple(runs_in(cell, self.empty) for cell in columns.get(name, ()))
        return {name: cells}, complaints + self._cell_complaints(cells)

    def _cell_complaints(self, cells: Sequence[str]) -> list[str]:
        wrong: defaultdict[str, list[str]] = defaultdict(list)
        pixels: dict[str, int] = {}
        fixed = self.sample.fixed.values()
        for row, cell in enumerate(cells[: len(self.content.rows.images)]):
            if not cell.strip():
                continue  # an empty mask
            image = self.content.rows.images[row]
            if image not in pixels:
                height, width = self.content.size(image)
                pixels[image] = height * width
            try:
                rle.runs(cell, pixels[image])
            except DataError as problem:
                name = " ".join((self.sample.ids[row], *(column[row] for column in fixed)))
                what = f"are not run lengths of their image ({str(problem).split(':')[0]})"
                wrong[what].append(f"{name}: {cell[:40]!r}")
        return listed(wrong)

    def check(self, path: Path, columns: Columns) -> list[str]:
        warnings = form_warnings(path, self.sample) + self.content.overlaps(columns)
        return warnings + self._other_empties(path)

    def _other_empties(self, path: Path) -> list[str]:
        """Empty masks that are written in another way than the sample or the config does."""
        cells = read_delimited(path, self.sample)[0].get(self.sample.answers[0], ())
        texts = {cell.strip() for cell in cells} & {*_EMPTY, ""} - {self.empty}
        if not texts:
            return []
        own = repr(self.empty) if self.empty else "nothing"
        return [f"empty masks are written as {first(sorted(texts))}; the sample writes {own}"]

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        tables = read_any(one), read_any(two)
        if not all(map(_has_runs, tables)):
            return None
        keys = [id_column if id_column in t.columns else t.columns[0] for t in tables]
        ids = [set(table.values[key]) for table, key in zip(tables, keys, strict=True)]
        other = sorted(ids[0] ^ ids[1])
        wrong = [f"{len(other)} rows are in one only: {first(other)}"] if other else []
        complain(SubmissionError, f"{one} and {two} cannot be compared:", wrong)
        return compare_regions(*map(_regions, tables, keys))


def _placeholders(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    """A doubt about the same text in all rows, which is not known to mean an empty mask."""
    if len(cells) < 2 or len({*cells}) > 1 or not runs_in(cells[0]).strip():
        return ()
    return (
        f"{path}: all {len(cells)} rows say {cells[0].strip()!r}, which may be a placeholder: "
        "nothing is written for an empty mask. If the site wants that text there, set "
        f"submission.empty: {cells[0].strip()!r}",
    )


def _has_runs(table: Table) -> bool:
    """Whether the last column holds run lengths: nothing, or runs that do not touch, and somewhere
    two of them (a list of two labels would look like one run)."""
    several = False
    for cell in table.values[table.columns[-1]]:
        try:
            starts, lengths = rle.runs(runs_in(cell), ENDLESS)
        except DataError:
            return False
        if (starts[1:] <= (starts + lengths)[:-1]).any():
            return False
        several |= len(starts) > 1
    return several


def _regions(table: Table, key: str) -> Regions:
    """The rows of each image and class. Which ids are images is not known here: where ids are all
    pairs of some stems and some endings, the endings are classes."""
    stems = {name.rpartition("_")[0] for name in table.values[key]}
    codes = {name.rpartition("_")[2] for name in table.values[key]}
    joined = len(stems) * len(codes) == len(table) and len(codes) < len(table)
    rows = read_sample_rows(table, key, lambda _: not joined)
    out: Regions = {}
    pairs = zip(rows.images, rows.codes, strict=True)
    for (image, code), cell in zip(pairs, table.values[table.columns[-1]], strict=True):
        starts, lengths = rle.runs(runs_in(cell), ENDLESS)
        if len(starts):
            before = out.get((image, code or ""), (starts[:0], starts[:0]))  # a row per object
            pair = [
                np.append(*both) for both in zip(before, (starts, starts + lengths), strict=True)
            ]
            order = np.argsort(pair[0], kind="stable")
            out[image, code or ""] = pair[0][order], pair[1][order]
    return out
