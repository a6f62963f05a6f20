"""An index is sorted by id, each id once, and its fingerprint is what a plan is made from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.index.index import Index

ONE = Index(
    ids=("a", "b", "c"),
    paths=(Path("a.png"), Path("b.png"), Path("c.png")),
    classes=("no", "yes"),
    target=np.array([0, 1, 1]),
    groups=("g", "g", "h"),
)


def test_rows_are_in_the_order_that_is_asked_for():
    assert ONE.rows(["c", "a"]).tolist() == [2, 0]
    with pytest.raises(DataError, match="1 ids are not in the index: 'z'"):
        ONE.rows(["a", "z"])


def test_unsorted_and_repeated_ids_are_refused():
    with pytest.raises(DataError, match="sorted"):
        replace(ONE, ids=("b", "a", "c"))
    with pytest.raises(DataError, match="repeated ids: 'b'"):
        replace(ONE, ids=("a", "b", "b"))


@pytest.mark.parametrize("field", ["paths", "target", "groups", "masks"])
def test_every_column_is_as_long_as_the_ids(field):
    with pytest.raises(DataError, match=f"3 ids but 2 {field}"):
        replace(ONE, **{field: (0, 1)})


def test_the_fingerprint_is_of_ids_labels_groups_and_classes_only():
    assert replace(ONE, paths=tuple(reversed(ONE.paths))).fingerprint == ONE.fingerprint
    others = [
        replace(ONE, ids=("a", "b", "d")),
        replace(ONE, target=np.array([1, 1, 1])),
        replace(ONE, groups=("g", "h", "h")),
        replace(ONE, groups=None),
        replace(ONE, classes=("yes", "no")),
    ]
    assert len({ONE.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_labels_as_text():
    assert ONE.label_texts() == ["no", "yes", "yes"]
    several = replace(ONE, target=np.array([[0, 0], [1, 0], [1, 1]]))
    assert several.label_texts() == ["", "no", "no|yes"]
    without = replace(ONE, target=None)
    assert without.label_texts() == ["", "", ""]
    with pytest.raises(DataError, match="have no labels"):
        _ = without.labels
