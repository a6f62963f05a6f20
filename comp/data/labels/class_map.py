"""The labels of another data set in the classes of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from comp.core.errors import DataError, did_you_mean, first
from comp.data.index.index import Index
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]


def mapped(
    index: Index, classes: Sequence[str], names: Mapping[str, str | None], task: Task, where: str
) -> Index:
    """The images of an index with their labels in `classes`.

    names: a class of the index -> what it is in `classes`, None to leave its images out (its
    column, where an image may have several classes); a class that is not named keeps its name.
    Classes of `classes` that the index lacks are unknown in a column and simply not there else.
    Raises DataError, with `where` in front, for names that are no classes.
    """
    _refuse(index, classes, names, task, where)
    number = {name: place for place, name in enumerate(classes)}
    ours = [names.get(name, name) for name in index.classes]
    places = [None if name is None else number[name] for name in ours]
    if index.labels.ndim == 1:
        kept = [row for row, own in enumerate(index.labels) if places[own] is not None]
        target = np.array([places[index.labels[row]] for row in kept], dtype=np.int64)
        return replace(index.part(kept), classes=tuple(classes), target=target)
    return replace(index, classes=tuple(classes), target=_columns(index.labels, places, classes))


def _columns(labels: Array, places: Sequence[int | None], classes: Sequence[str]) -> Array:
    """(N, C) in the columns of `classes`; a one in either of two columns that became one is one."""
    out = np.full((len(labels), len(classes)), UNKNOWN, dtype=labels.dtype)
    for column, place in enumerate(places):
        if place is not None:
            out[:, place] = np.maximum(out[:, place], labels[:, column])
    return out


def _refuse(
    index: Index, classes: Sequence[str], names: Mapping[str, str | None], task: Task, where: str
) -> None:
    strange = [name for name in names if name not in index.classes]
    if strange:
        hint = did_you_mean(strange[0], index.classes)
        raise DataError(
            f"{where}: map names {first(strange)}, but the classes there are "
            f"{first(index.classes, 20)}.{hint}"
        )
    ours = [names.get(name, name) for name in index.classes]
    pairs = zip(index.classes, ours, strict=True)
    wrong = [own for own, name in pairs if name is not None and name not in classes]
    if wrong:
        means = [f"{own!r} -> {names[own]!r}" if own in names else repr(own) for own in wrong]
        raise DataError(
            f"{where}: no classes here: {', '.join(means[:20])}; the classes here are "
            f"{first(classes, 20)}. Say in map what each is, or null to leave it out, such as map: "
            f"{{{wrong[0]}: null}}"
        )
    missing = [name for name in classes if name not in ours]
    if task.link.measures and missing:
        raise DataError(
            f"{where}: the numbers {first(missing)} are missing there; extra images need them all"
        )
    if all(name is None for name in ours):
        raise DataError(f"{where}: map leaves all of its classes out; remove the entry instead")
