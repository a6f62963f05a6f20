"""A row for each object in a mask, with its run lengths: an image has as many rows as objects.

ImageId, EncodedPixels              the id again in each row
ImageId, number, EncodedPixels      the objects of an image are numbered from 1 on
ImageId_number, EncodedPixels       ... in the id
ImageId, ClassId, EncodedPixels     the column says the class, where there are several
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np

from comp.core.errors import DataError, SubmissionError, complain, first
from comp.data.index.data_tables import read_any, read_data_table
from comp.data.index.sample_rows import read_sample_rows
from comp.data.index.tables import Table
from comp.data.masks import rle
from comp.submission.diff import Diff
from comp.submission.formats.cells import listed
from comp.submission.formats.format import Answers, Columns, Competition
from comp.submission.formats.found import FoundObject, objects_of
from comp.submission.formats.masks import Found, MaskRows, own_rows
from comp.submission.formats.rle import runs_in
from comp.submission.sample import Sample, make_sample, render, sample_of

Named = Literal["again", "joined", "number", "class"]  # how a row says which object it is


@dataclass(frozen=True)
class ObjectFormat:
    """See `Format`. `sample`, `content`: of a row per image and class, to which rows are joined.

    `form`    the sample as it is, or what is written without one
    `images`  in the order of their rows
    `named`   how its rows are told apart; `between`: the column that does it, or None
    `empty`   the run lengths of an image without objects
    """

    sample: Sample
    content: MaskRows
    form: Sample
    images: tuple[str, ...]
    named: Named
    between: str | None = None
    empty: str = ""
    needs_probs: ClassVar[bool] = False
    suffix: ClassVar[str] = ".csv"

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        own, content = own_rows(competition)
        empty = "" if competition.empty == "auto" else competition.empty.strip()
        if competition.sample is None:
            ids, several = competition.test.ids, len(content.codes) > 1
            between = "ClassId" if several else None
            form = make_sample("ImageId", [*["ClassId"] * several, "EncodedPixels"], ids)
            form = replace(form, fixed={"ClassId": ("",) * len(ids)} if several else {})
            return cls(own, content, form, ids, "class" if several else "again", between, empty)
        table = read_data_table(competition.sample, competition.data)
        key = competition.data.id if competition.data.id in table.columns else table.columns[0]
        rows = read_sample_rows(table, key, {*competition.test.ids}.__contains__)
        rest = [name for name in table.columns if name != key]
        wrong = [] if rest else [f"only one column, {key!r}; a column of run lengths is needed"]
        if len(rest) > 2:
            wrong.append(f"more columns than id, number or class, and run lengths: {first(rest)}")
        complain(DataError, f"{table.path}: not a sample of objects:", wrong)
        form, between = sample_of(table, key, rest[:-1]), rest[0] if len(rest) == 2 else None
        codes = content.codes
        if between is not None and {*rows.codes} <= {*codes} and len(codes) > 1:
            return cls(own, content, form, rows.ids, "class", between, empty)
        named: Named = "number" if between else "joined" if rows.joined else "again"
        return cls(own, content, _one_class(form, content), rows.ids, named, between, empty)

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        found: Found = {}
        objects = {
            image: self._said(objects_of(self.content, mask, probs))
            for image, mask, probs in self.content.recorded(answers, found)
        }
        ids, between, cells = list[str](), list[str](), list[str]()
        for image in self.images:
            nothing = [(self.content.codes[0], self.empty)]
            for number, (code, runs) in enumerate(objects[image] or nothing, 1):
                ids.append(f"{image}_{number}" if self.named == "joined" else image)
                between.append(code if self.named == "class" else str(number))
                cells.append(runs)
        form = replace(self.form, ids=tuple(ids), id_cells=())
        if self.between is not None:
            form = replace(form, fixed={self.between: tuple(between)})
        path.write_bytes(render(form, {self.form.answers[0]: cells}))
        return self.content.column(self.sample, found), len(ids)

    def _said(self, objects: Iterable[FoundObject]) -> list[tuple[str, str]]:
        """The class and the run lengths of each object, the likeliest first."""
        found = [
            (one.score, one.code, rle.encode(one.region, self.content.order)) for one in objects
        ]
        return [(code, runs) for _, code, runs in sorted(found, key=lambda each: -each[0])]

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        table = read_any(path)
        if table.columns != self.form.columns:
            return {}, [f"its columns are {first(table.columns)}, not {first(self.form.columns)}"]
        masks, wrong = self._union(table)
        images = [self._image(name) for name in table.values[self.form.id_column]]
        lost = [name for name in self.images if name not in {*images}]
        odd = sorted({*images} - {*self.images})
        complaints = [f"no row for {len(lost)} images: {first(lost)}"] if lost else []
        complaints += [f"rows of {len(odd)} unknown images: {first(odd)}"] if odd else []
        found = {key: rle.encode(mask, self.content.order) for key, mask in masks.items()}
        return self.content.column(self.sample, found), complaints + listed(wrong)

    def _image(self, name: str) -> str:
        return name.rpartition("_")[0] if self.named == "joined" else name

    def _union(
        self, table: Table
    ) -> tuple[dict[tuple[str, str], np.ndarray], defaultdict[str, list[str]]]:
        """The mask of each image and class, and cells that are wrong."""
        masks: dict[tuple[str, str], np.ndarray] = {}
        wrong: defaultdict[str, list[str]] = defaultdict(list)
        codes = self.content.codes
        between = table.values[self.between] if self.named == "class" and self.between else None
        rows = zip(
            table.values[self.form.id_column], table.values[self.form.answers[0]], strict=True
        )
        for row, (name, cell) in enumerate(rows):
            image, code = self._image(name), codes[0] if between is None else between[row]
            text = runs_in(cell, self.empty)
            if image not in self.images or not text.strip():
                continue
            if code not in codes:
                wrong[f"are of a class that is none of {first(codes, 12)}"].append(
                    f"{name}: {code}"
                )
                continue
            try:
                mask = rle.decode(text, *self.content.size(image), self.content.order).astype(bool)
            except DataError:
                wrong["are not run lengths of their image"].append(f"{name}: {cell[:40]!r}")
                continue
            before = masks.get((image, code))
            if before is not None and (before & mask).any():
                wrong["overlap another object of their class"].append(f"{name}: {cell[:40]!r}")
            masks[image, code] = mask if before is None else before | mask
        return masks, wrong

    def check(self, path: Path, columns: Columns) -> list[str]:
        return self.content.overlaps(columns)

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        return None


def _one_class(form: Sample, content: MaskRows) -> Sample:
    """The form; SubmissionError where its rows name no class and there are several."""
    if len(content.codes) > 1:
        raise SubmissionError(
            f"{form.path}: its rows name no class, and there are {len(content.codes)}: "
            f"{first(content.codes)}; a sample with a column of classes is needed"
        )
    return form
