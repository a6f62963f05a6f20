"""The labels of another data set become classes of this one, or are refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.index.index import Index
from comp.data.labels.class_map import mapped
from comp.tasks.kinds import TASKS

IDS = tuple("abcd")
PATHS = tuple(Path(f"{name}.png") for name in IDS)


def index(classes: tuple[str, ...], target: Any) -> Index:
    return Index(IDS, PATHS, classes, np.array(target))


def test_classes_are_named_joined_and_left_out() -> None:
    other = index(("lion", "rock", "tiger", "wolf"), [0, 1, 2, 3])
    names = {"lion": "cat", "tiger": "cat", "wolf": "dog", "rock": None}
    found = mapped(other, ("cat", "dog"), names, TASKS["binary"], "here")
    assert (found.ids, found.classes) == (("a", "c", "d"), ("cat", "dog"))
    assert found.labels.tolist() == [0, 0, 1]


def test_columns_that_are_not_there_are_unknown() -> None:
    other = index(("b", "q", "r"), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 1]])
    found = mapped(other, ("a", "b"), {"q": "b", "r": None}, TASKS["multilabel"], "here")
    assert found.labels.tolist() == [[-1, 1], [-1, 1], [-1, 0], [-1, 0]]


def test_names_that_are_no_classes_are_refused() -> None:
    other, task = index(("cat", "wolf"), [0, 1, 0, 1]), TASKS["multiclass"]
    with pytest.raises(DataError, match="here: map names 'wolve', but .*'wolf'"):
        mapped(other, ("cat", "dog"), {"wolve": "dog"}, task, "here")
    with pytest.raises(DataError, match="no classes here: 'wolf'; .*map: {wolf: null}"):
        mapped(other, ("cat", "dog"), {}, task, "here")
    with pytest.raises(DataError, match="'wolf' -> 'dgo'; .*map: {wolf: null}"):
        mapped(other, ("cat", "dog"), {"wolf": "dgo"}, task, "here")
    with pytest.raises(DataError, match="leaves all of its classes out"):
        mapped(other, ("cat", "dog"), {"cat": None, "wolf": None}, task, "here")
    numbers = Index(IDS, PATHS, ("kg",), np.zeros((4, 1)))
    with pytest.raises(DataError, match="the numbers 'cm' are missing there"):
        mapped(numbers, ("cm", "kg"), {}, TASKS["regression"], "here")
