"""What the answer cells of a table hold: labels, zeros and ones, probabilities, or numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comp.core.errors import ConfigError, SubmissionError, complain, did_you_mean, first
from comp.data.labels.columns import zero_or_one
from comp.submission.formats.likely import SEPARATOR, most_likely, places_of
from comp.submission.sample import Sample
from comp.tasks.kinds import Part, Task
from comp.tasks.metrics import Metric
from comp.tasks.several.parts import own_target

if TYPE_CHECKING:
    from comp.submission.formats.long_rows import LongRows

Array = np.ndarray[Any, Any]

_ZERO_ONE = ("0", "1")
_TRUTHS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
_SHOWN = 5
_PLACES = re.compile(r"[-+]?\d+(?:\.(\d+))?")


@dataclass(frozen=True)
class Cells:
    """What the answer cells hold.

    `answers`    the answer columns of the sample
    `fill`       labels, probs -> the cells of each of them
    `allowed`    the texts that a cell may be (or, with a separator, be made of); None: a
                 probability, a number from 0 to 1
    `measured`   whether a cell may be any finite number
    `separator`  between the labels in one cell; None: one label per cell
    `most`       how many classes a cell may hold, the likeliest first; None: the labels of an image
    `one`        how a one is written where each class has a column or a row
    `long`       the rows of a sample with a row for each image and class, or None
    `wide`       then what the cells would hold if each class had a column
    `parts`      of several tasks: what the cells of each hold, and its sample
    """

    answers: tuple[str, ...]
    fill: Callable[[Array, Array | None], list[list[str]]]
    allowed: frozenset[str] | None
    separator: str | None = None
    one: str = "1"
    long: LongRows | None = None
    wide: Cells | None = None
    measured: bool = False
    most: int | None = None
    parts: tuple[tuple[Cells, Sample], ...] = ()

    def complaints(self, columns: Mapping[str, Sequence[str]], sample: Sample) -> list[str]:
        """What is wrong with the answer cells: one complaint per kind of problem."""
        if self.parts:
            return [text for own, part in self.parts for text in own.complaints(columns, part)]
        ids = columns.get(sample.id_column, ())
        wrong: defaultdict[str, list[str]] = defaultdict(list)
        for column in sample.answers:
            cells = columns.get(column, ())
            if self.allowed is None and _are_probabilities(cells):
                continue
            problems = {cell: found for cell in set(cells) if (found := self._problem(cell))}
            rows = [row for row, cell in enumerate(cells) if cell in problems] if problems else []
            for row in rows:
                name = ids[row] if row < len(ids) else f"row {row + 2}"
                wrong[problems[cells[row]]].append(f"{name}, {column}: {cells[row]!r}")
        return listed(wrong)

    def _problem(self, cell: str) -> str | None:
        if self.allowed is None:
            return _number_problem(cell, inside=not self.measured)
        if self.separator and not cell and self.most is None:
            return None  # an image without labels
        parts = cell.split(self.separator) if self.separator else [cell]
        if self.most is not None and len(parts) > self.most:
            return f"have more than {self.most} classes"
        if all(part in self.allowed for part in parts) and len(set(parts)) == len(parts):
            return None
        if cell.strip().lower() in ("", "nan"):
            return "are empty or NaN"
        return f"are not a label ({first(sorted(self.allowed))})"

    def columns(self, labels: Array, probs: Array | None) -> dict[str, tuple[str, ...]]:
        """The answer columns, in the order of the rows; labels: (N,) or (N, C), probs: (N, C)."""
        return dict(zip(self.answers, map(tuple, self.fill(labels, probs)), strict=True))

    def expected_shares(
        self, labels: Array, probs: Array | None, weights: Sequence[float] | None = None
    ) -> dict[str, float]:
        """`shares` of answers that are not in a file; weights: (N,) how much each row counts."""
        if self.wide is not None:  # the images are not those of the rows
            return self.wide.expected_shares(labels, probs, weights)
        return self.shares(self.columns(labels, probs), weights)

    def shares(
        self, columns: Mapping[str, Sequence[str]], weights: Sequence[float] | None = None
    ) -> dict[str, float]:
        """How much of the answers each label has: label -> share of the rows.

        The share of a column of probabilities, or of 0 and 1, is its mean; of the most likely
        classes the first counts.
        """
        if self.parts:
            return {
                name if name in own.answers else f"{own.answers[0]}: {name}": share
                for own, _ in self.parts
                for name, share in own.shares({n: columns[n] for n in own.answers}, weights).items()
            }
        if self.measured:
            return {}
        if self.long is not None:
            (cells,) = columns.values()
            return self.long.by_class(self._numbers(cells))
        rows = len(next(iter(columns.values()), ()))
        share = np.ones(rows) if weights is None else np.asarray(weights, dtype=float)
        share = share / max(share.sum(), 1e-300)
        if self.allowed is None or (len(columns) > 1 and self.separator is None):
            means = {n: self._numbers(cells) @ share for n, cells in columns.items()}
            return {name: float(mean) for name, mean in means.items()}
        found: defaultdict[str, float] = defaultdict(float)
        for cell, weight in zip(next(iter(columns.values())), share, strict=True):
            for label in self._counted(cell):
                found[label] += float(weight)
        return dict(sorted(found.items()))

    def _counted(self, cell: str) -> list[str]:
        parts = cell.split(self.separator) if self.separator else [cell]
        return parts if self.most is None else parts[:1]

    def _numbers(self, cells: Sequence[str]) -> Array:
        """Probabilities, or zeros and ones, as numbers."""
        if self.allowed is None:
            return np.asarray(cells, dtype=float)
        return np.array([cell == self.one for cell in cells], dtype=float)


def listed(wrong: Mapping[str, Sequence[str]]) -> list[str]:
    """`2 cells are empty: a: ''; b: ''` for each problem and the cells that have it."""
    out = []
    for problem, cells in wrong.items():
        more = f"; and {len(cells) - _SHOWN} more" if len(cells) > _SHOWN else ""
        out.append(f"{len(cells)} cells {problem}: {'; '.join(cells[:_SHOWN])}{more}")
    return out


def make_cells(
    sample: Sample,
    task: Task,
    classes: Sequence[str],
    metric: Metric,
    write: str = "auto",
    separator: str | None = None,
    likely: int | Literal["auto"] = "auto",
    decimals: int | Literal["auto"] = "auto",
) -> Cells:
    """How the answers of a task fill the columns of a sample.

    Columns named like the classes are matched by name, in any order, also where all have the same
    words before or after the class (`prob_cat`). A single other column takes
    the label, or the probability of the last of two classes; for several labels per image, their
    names with `separator` (a space) between. write: `auto` (probabilities where the metric wants
    them, or where a task with one label per image has a column per class), `label` or
    `probability`. likely: how many classes a cell holds, the likeliest first; `auto`: as many as
    those of the sample. decimals: places behind the point; `auto`: those of the sample where
    numbers are measured, else all.
    Raises SubmissionError for columns that do not fit, ConfigError where `write` cannot be done.
    """
    if task.link.parts:
        return _of_parts(sample, task, metric, decimals)
    classes, answers = tuple(classes), sample.answers
    class_of = _classes_of(answers, classes)
    by_name = class_of is not None
    if task.link.measures:
        return _measured(sample, task, classes, decimals)
    places = None if decimals == "auto" else decimals
    single = len(answers) == 1 and (task.one_answer or answers[0] not in classes)
    if not by_name and not single:
        _refuse_columns(sample, task, classes)
    found = frozenset[str]().union(*(sample.texts[name] for name in answers))
    in_words = _zero_one(found) != _ZERO_ONE  # no site takes probabilities for yes and no
    wants_probs = metric.wants == "probs" or (by_name and task.one_answer and not in_words)
    probability = write == "probability" or (write == "auto" and wants_probs)
    if class_of is not None:
        return _column_per_class(answers, class_of, classes, probability, _zero_one(found), places)
    if not task.one_answer:
        between = " " if separator is None else separator
        return _list_of_labels(answers[0], classes, between, probability)
    several = places_of(found, classes) if likely == "auto" else likely
    if several > 1 and write != "probability":
        return _likely_labels(answers[0], classes, found, several)
    if probability:
        return _one_probability(answers[0], classes, places)
    texts = _label_texts(classes, found)
    return Cells(answers, lambda labels, _: [_named(texts, labels)], frozenset(texts))


def _of_parts(sample: Sample, task: Task, metric: Metric, decimals: int | Literal["auto"]) -> Cells:
    """The columns of several tasks, each filled as if it were alone: those called like the columns
    of its labels, or `task_class` for the probabilities of its classes."""
    complaints, found = list[str](), list[tuple[Part, Cells, Sample]]()
    for part, own in zip(task.link.parts, metric.parts, strict=True):
        by_class = tuple(f"{part.name}_{name}" for name in part.classes)
        names = part.columns if {*part.columns} <= {*sample.answers} else by_class
        missing = [name for name in names if name not in sample.answers]
        if missing:
            wanted = part.columns if len(missing) == len(names) else names
            complaints.append(f"tasks: {part.name}: no column {first(wanted)}")
            continue
        inner = tuple(name for name in sample.answers if name in names)
        texts = {name: sample.texts[name] for name in inner}
        small = replace(sample, columns=(sample.id_column, *inner), texts=texts, fixed={})
        cells = make_cells(small, part.task, part.classes, own, decimals=decimals)
        found.append((part, cells, small))
    taken = {name for _, cells, _ in found for name in cells.answers}
    extra = [name for name in sample.answers if name not in taken]
    if extra and not complaints:
        complaints.append(f"columns that no task answers: {first(extra)}")
    complain(SubmissionError, f"{sample.path}: its columns do not fit the tasks:", complaints)
    columns = len(task.link.neutral(0))

    def fill(labels: Array, probs: Array | None) -> list[list[str]]:
        out: dict[str, list[str]] = {}
        for part, cells, _ in found:
            own = None if probs is None else probs[:, :columns][:, part.block]
            out |= zip(cells.answers, cells.fill(own_target(part, labels), own), strict=True)
        return [out[name] for name in sample.answers]

    return Cells(
        sample.answers, fill, None, measured=True, parts=tuple((c, s) for _, c, s in found)
    )


def _likely_labels(
    answer: str, classes: tuple[str, ...], found: frozenset[str], places: int
) -> Cells:
    """One column with the most likely classes of an image."""
    split = [name for name in classes if SEPARATOR in name]
    if split or places > len(classes):
        why = f"the classes {first(split)} contain spaces, which part the classes of a cell"
        if places > len(classes):
            why = f"submission.likely: {places} of {len(classes)} classes cannot be written"
        raise ConfigError(f"{why}. With submission.likely: 1 a cell holds one class.")
    texts = _label_texts(classes, frozenset(part for cell in found for part in cell.split()))
    return Cells(
        (answer,),
        lambda labels, probs: [most_likely(texts, labels, _needed(probs, "likely: 1"), places)],
        frozenset(texts),
        SEPARATOR,
        most=places,
    )


def _classes_of(answers: Sequence[str], classes: Sequence[str]) -> list[str] | None:
    """The class of each column: the columns are called like the classes, or like them with the
    same words before and after each (`prob_cat`, `prob_dog`). None where they are not."""
    if {*answers} == {*classes}:
        return [*answers]
    for answer in answers:
        before, found, after = answer.partition(classes[0])
        named = {f"{before}{name}{after}": name for name in classes}
        if found and {*answers} == {*named}:
            return [named[name] for name in answers]
    return None


def _measured(
    sample: Sample, task: Task, classes: tuple[str, ...], decimals: int | Literal["auto"]
) -> Cells:
    """A column for each number; the only one may have any name."""
    answers = sample.answers
    if set(answers) == set(classes):
        places = [classes.index(name) for name in answers]
    elif len(answers) == len(classes) == 1:
        places = [0]
    else:
        _refuse_columns(sample, task, classes)
    digits = [decimals_of(sample.texts[n]) if decimals == "auto" else decimals for n in answers]
    return Cells(
        answers,
        lambda labels, _: [_numbers(labels[:, p], d) for p, d in zip(places, digits, strict=True)],
        None,
        measured=True,
    )


def _refuse_columns(sample: Sample, task: Task, classes: tuple[str, ...]) -> None:
    missing = [name for name in classes if name not in sample.answers]
    extra = [name for name in sample.answers if name not in classes]
    wanted = "one answer column, or one per class" if task.one_answer else "one column per class"
    complaints = [f"no column for the classes {first(missing)}"] if missing else []
    if extra:
        hint = did_you_mean(extra[0], missing)
        complaints.append(f"columns that are not a class: {first(extra)}.{hint}")
    heading = f"{sample.path}: its columns do not fit {task.name}, which has {wanted}:"
    complain(SubmissionError, heading, complaints)


def _column_per_class(
    answers: tuple[str, ...],
    class_of: Sequence[str],
    classes: tuple[str, ...],
    probability: bool,
    zero_one: tuple[str, str],
    decimals: int | None = None,
) -> Cells:
    """Probabilities, or 0 and 1 in the words of the sample. class_of: the class of each column."""
    places = [classes.index(name) for name in class_of]

    def probabilities(_: Array, probs: Array | None) -> list[list[str]]:
        found = _needed(probs)
        if found.shape[1] < len(classes):  # the one column is the last of two classes
            found = np.concatenate([1 - found, found], axis=1)
        return [_numbers(found[:, place], decimals) for place in places]

    def zeros_and_ones(labels: Array, _: Array | None) -> list[list[str]]:
        table = labels if labels.ndim == 2 else labels[:, None] == np.arange(len(classes))
        return [_named(zero_one, table[:, place].astype(np.int64)) for place in places]

    if probability:
        return Cells(answers, probabilities, None)
    return Cells(answers, zeros_and_ones, frozenset(zero_one), one=zero_one[1])


def _zero_one(found: frozenset[str]) -> tuple[str, str]:
    """How a sample with these cells writes zero and one: 0 and 1, or words such as True."""
    for zero, one in _TRUTHS:
        for way in (str.lower, str.capitalize, str.upper):
            if found and found <= {way(zero), way(one)}:
                return way(zero), way(one)
    return _ZERO_ONE


def _list_of_labels(
    answer: str, classes: tuple[str, ...], separator: str, probability: bool
) -> Cells:
    """One column with the names of all the labels of an image."""
    split = [name for name in classes if not separator or separator in name]
    if probability or split:
        why = f"the classes {first(split)} contain the separator {separator!r}; set data.separator"
        if probability:
            why = "submission.write: one column cannot hold the probabilities of several labels"
        raise ConfigError(f"{why}. A sample with one column per class makes it possible.")

    def names(labels: Array, _: Array | None) -> list[list[str]]:
        return [[separator.join(classes[c] for c in np.flatnonzero(row)) for row in labels]]

    return Cells((answer,), names, frozenset(classes), separator)


def _one_probability(answer: str, classes: tuple[str, ...], decimals: int | None = None) -> Cells:
    """One column with the probability of the last of two classes."""
    if len(classes) != 2:
        raise ConfigError(
            f"submission.write: the one column {answer!r} cannot hold the probabilities of "
            f"{len(classes)} classes; write labels (submission.write: label), the most likely ones "
            "(submission.likely: 5), or use a sample with one column per class"
        )
    return Cells((answer,), lambda _, probs: [_numbers(_needed(probs)[:, -1], decimals)], None)


def _label_texts(classes: tuple[str, ...], found: frozenset[str]) -> tuple[str, ...]:
    """How each class is written: by its name, or by its number where the sample does so."""
    numbers = tuple(str(number) for number in range(len(classes)))
    if not found or found & set(classes):
        return classes
    if len(found) == 1 and all(name.isdecimal() for name in (*found, *classes)):
        return classes  # a sample of zeros for grades 1 to 5: the zero stands for no grade
    if found <= set(numbers):
        return numbers
    words = _zero_one(found)
    truths = words != _ZERO_ONE and [zero_or_one(name) for name in classes] == [0, 1]
    return words if truths else classes


def _needed(probs: Array | None, instead: str = "write: label") -> Array:
    """The probabilities; ConfigError where there are none. instead: what needs none."""
    if probs is None:
        raise ConfigError(
            "the submission needs probabilities, but a hard vote gives none: use `--vote soft`, "
            f"or set `submission.{instead}`"
        )
    return probs


def _named(texts: Sequence[str], labels: Array) -> list[str]:
    return list(np.array(texts, dtype=object)[labels])


def decimals_of(texts: frozenset[str]) -> int | None:
    """The places behind the point of the cells of a sample; None where they say nothing: all cells
    are the same, as in a placeholder, or they have different places."""
    found = {len(match[1] or "") for text in texts if (match := _PLACES.fullmatch(text.strip()))}
    known = len(texts) > 1 and all(_PLACES.fullmatch(text.strip()) for text in texts)
    return found.pop() if known and len(found) == 1 else None


def _numbers(values: Array, decimals: int | None = None) -> list[str]:
    """Nine significant digits, which give back every float32; or so many behind the point."""
    if decimals is not None:
        rounded = np.round(np.asarray(values, dtype=np.float64), decimals) + 0.0  # no -0
        return [f"{value:.{decimals}f}" for value in rounded.tolist()]
    return ("%.9g\n" * len(values) % tuple(values.tolist())).split("\n")[:-1]


def _are_probabilities(cells: Sequence[str]) -> bool:
    """Whether every cell is a number from 0 to 1: a fast test of a whole column."""
    try:
        values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
    except ValueError:
        return False
    return bool(((values >= 0) & (values <= 1)).all())


def _number_problem(cell: str, *, inside: bool = True) -> str | None:
    try:
        value = float(cell)
    except ValueError:
        return "are not a number" if cell.strip() else "are empty or NaN"
    if value != value:
        return "are empty or NaN"
    if not inside:
        return None if np.isfinite(value) else "are not finite"
    return None if 0 <= value <= 1 else "are outside 0 to 1"
