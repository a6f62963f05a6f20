"""How answers fill the columns of a sample: labels, zeros and ones, or probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import ConfigError, SubmissionError, complain, first, nearest
from comp.submission.sample import Sample
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]
_YES_NO = ("0", "1")


@dataclass(frozen=True)
class Form:
    """What the answer cells hold.

    `classes`      the classes in the order of the labels and probabilities
    `cells`        labels, probs -> the cells of each answer column, in the order of the sample
    `allowed`      the texts that a cell may be (or, with a separator, be made of); None: a
                   probability, a number from 0 to 1
    `separator`    between the labels in one cell; None: one label a cell
    `fault`        row, cell -> what is wrong with the cell, or None; in place of `allowed`
    `tally`        the cells of the one answer column -> the share of each class; where cells are
                   no labels
    """

    classes: tuple[str, ...]
    cells: Callable[[Array, Array | None], list[list[str]]]
    allowed: frozenset[str] | None
    separator: str | None = None
    fault: Callable[[int, str], str | None] | None = None
    tally: Callable[[Sequence[str]], dict[str, float]] | None = None


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
