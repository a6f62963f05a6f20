"""Boxes of the objects in masks, in the cells of a table: `0.93 12 40 30 22 0.81 ...`.

Each object is some words: its score, its box, and its class where there are several. Which words,
and in which order, is in `submission.boxes`, or follows from the cells of the sample.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from comp.core.errors import ConfigError, DataError, SubmissionError, complain, first, repeated
from comp.data.index.data_tables import is_usage, read_data_table
from comp.data.index.sample_rows import SampleRows
from comp.submission.diff import Diff
from comp.submission.formats.cells import listed
from comp.submission.formats.delimited import form_warnings, read_delimited
from comp.submission.formats.format import Answers, Array, Columns, Competition
from comp.submission.formats.found import FoundObject, objects_of
from comp.submission.formats.masks import Found, MaskRows, mask_rows
from comp.submission.sample import Sample, make_sample, render, sample_of

WORDS = ("class", "score", "x", "y", "w", "h", "x2", "y2")
_CORNER, _SIZE, _END = ("x", "y"), ("w", "h"), ("x2", "y2")
_USUAL = {5: "score x y w h", 6: "class score x y x2 y2"}  # words of an object -> which they are


@dataclass(frozen=True)
class BoxRows:
    """What the cells hold.

    `rows`   the masks that the boxes are of
    `words`  of an object, see WORDS
    `empty`  the cell of an image without an object
    """

    rows: MaskRows
    words: tuple[str, ...]
    empty: str

    def cell(self, objects: Sequence[FoundObject]) -> str:
        """The boxes of an image, the likeliest first."""
        ranked = sorted(objects, key=lambda one: -one.score)
        return " ".join(" ".join(self._said(one)) for one in ranked) or self.empty

    def _said(self, one: FoundObject) -> list[str]:
        left, top, width, height = one.box
        values = {
            "class": one.code,
            "score": f"{one.score:.6g}",
            **{"x": left, "y": top, "w": width, "h": height},
            **{"x2": left + width, "y2": top + height},
        }
        return [str(values[word]) for word in self.words]

    def problem(self, cell: str, image: str) -> str | None:
        """What is wrong with a cell, or None."""
        if cell.strip() == self.empty:
            return None
        parts, count = cell.split(), len(self.words)
        if not parts or len(parts) % count:
            return f"are not objects of {count} words ({' '.join(self.words)})"
        height, width = self.rows.size(image)
        for start in range(0, len(parts), count):
            own = dict(zip(self.words, parts[start : start + count], strict=True))
            if own.pop("class", self.rows.codes[0]) not in self.rows.codes:
                return f"name a class that is none of {first(self.rows.codes, 12)}"
            try:
                numbers = {word: float(text) for word, text in own.items()}
            except ValueError:
                return "hold words that are no numbers"
            if not 0 <= numbers["score"] <= 1:
                return "have a score outside 0 to 1"
            x, y = numbers["x"], numbers["y"]
            end = [numbers.get("x2", x + numbers.get("w", 0))]
            end.append(numbers.get("y2", y + numbers.get("h", 0)))
            if not (0 <= x < end[0] <= width and 0 <= y < end[1] <= height):
                return "have a box that is empty or not inside its image"
        return None

    def shares(self, columns: Columns) -> dict[str, float]:
        """class -> the share of the images in which it has a box."""
        name_of = dict(zip(self.rows.codes, self.rows.classes, strict=True))
        found, cells = dict.fromkeys(self.rows.classes, 0), next(iter(columns.values()), ())
        place = self.words.index("class") if "class" in self.words else None
        for cell in cells:
            if cell.strip() == self.empty:
                continue
            parts = cell.split()
            codes = [self.rows.codes[0]] if place is None else parts[place :: len(self.words)]
            for code in {*codes}:
                found[name_of[code]] += 1
        return {name: count / max(1, len(cells)) for name, count in found.items()}

    def expected_shares(
        self, labels: Array, probs: Array | None, weights: Sequence[float] | None = None
    ) -> dict[str, float]:
        """class -> the share of the images in which it is; labels: (N, C) bool."""
        return self.rows.expected_shares(labels, probs, weights)


@dataclass(frozen=True)
class BoxFormat:
    """A row per image with the boxes of its objects; see `Format`."""

    sample: Sample
    content: BoxRows
    needs_probs: ClassVar[bool] = True
    suffix: ClassVar[str] = ".csv"

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        codes = competition.codes
        if competition.sample is None:
            ids = competition.test.ids
            sample, cells = make_sample("ImageId", ["PredictionString"], ids), list[str]()
        else:
            sample, cells = _read(competition)
        rows = mask_rows(competition, SampleRows(sample.ids, (None,) * len(sample.ids)))
        words = _words(competition.boxes, cells, len(codes))
        empty = competition.empty.strip()
        if empty == "auto":
            said = {cell.strip() for cell in cells}
            empty = said.pop() if len(said) == 1 else ""
        return cls(sample, BoxRows(rows, words, empty))

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        found: Found = {}
        cells = dict[str, str]()
        for image, mask, probs in self.content.rows.recorded(answers, found):
            if probs is None:
                raise SubmissionError(
                    "boxes have scores, which need probabilities: use another vote"
                )
            cells[image] = self.content.cell([*objects_of(self.content.rows, mask, probs)])
        columns = {self.sample.answers[0]: tuple(cells[name] for name in self.sample.ids)}
        path.write_bytes(render(self.sample, columns))
        return columns, len(self.sample.ids)

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        columns, complaints = read_delimited(path, self.sample)
        name = self.sample.answers[0]
        cells = columns.get(name, ())
        wrong: defaultdict[str, list[str]] = defaultdict(list)
        for image, cell in zip(self.sample.ids, cells, strict=False):
            problem = self.content.problem(cell, image)
            if problem:
                wrong[problem].append(f"{image}: {cell[:40]!r}")
        return {name: cells}, complaints + listed(wrong)

    def check(self, path: Path, columns: Columns) -> list[str]:
        return form_warnings(path, self.sample)

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        return None


def _read(competition: Competition) -> tuple[Sample, list[str]]:
    """The sample, and the cells of its answers."""
    path = competition.sample
    assert path is not None
    table = read_data_table(path, competition.data)
    key = competition.data.id if competition.data.id in table.columns else table.columns[0]
    usage = [name for name in table.columns if is_usage(table, name)]
    rest = [name for name in table.columns if name != key and name not in usage]
    again = repeated(table.values[key])
    wrong = [f"ids repeated in column {key!r}: {first(again)}"] if again else []
    if len(rest) != 1:
        wrong.append(f"one column for the boxes is needed beside {key!r}; it has {first(rest)}")
    complain(DataError, f"{path}: not a sample of boxes:", wrong)
    return sample_of(table, key, usage), table.values[rest[0]]


def _words(asked: str, cells: Sequence[str], classes: int) -> tuple[str, ...]:
    """The words of an object: as asked for, or as many as in the cells of the sample.

    Raises ConfigError for words that are no box, or no class where there are several.
    """
    if asked == "auto":
        counts = {len(cell.split()) for cell in cells if cell.strip()}
        fitting = [n for n in _USUAL if counts and all(count % n == 0 for count in counts)]
        asked = _USUAL[fitting[0] if len(fitting) == 1 else 5 if classes == 1 else 6]
    words = tuple(asked.split())
    unknown = [word for word in words if word not in WORDS]
    box = {*_CORNER} <= {*words} and ({*_SIZE} <= {*words}) != ({*_END} <= {*words})
    if unknown or not box or "score" not in words or len({*words}) < len(words):
        raise ConfigError(
            f"submission.boxes: {asked!r}: the words of an object are some of {', '.join(WORDS)}: "
            "score, x, y, and w and h or x2 and y2"
        )
    if classes > 1 and "class" not in words:
        raise ConfigError(
            f"submission.boxes: {asked!r} names no class, and there are {classes}: add `class`"
        )
    return words
