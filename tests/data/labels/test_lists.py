"""Lists of labels in cells, however they are written."""

from __future__ import annotations

import pytest
from layout_toys import refusal, several

from comp.data.labels.lists import are_lists, split_cells


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("['cat', 'dog']", ["cat", "dog"]),
        ('["cat", "dog"]', ["cat", "dog"]),
        ("['cat' 'dog']", ["cat", "dog"]),  # NumPy
        ("{cat,dog}", ["cat", "dog"]),  # PostgreSQL
        ("('cat',)", ["cat"]),
        ("[cat, dog]", ["cat", "dog"]),
        ("['a, b', 'c']", ["a, b", "c"]),
        ('["it\'s", "x"]', ["it's", "x"]),
        (r"['it\'s', 'x']", ["it's", "x"]),
        ('["\\uace0\\uc591"]', ["고양"]),
        ("[1, 2]", ["1", "2"]),
        ("[]", []),
        (" [ ] ", []),
        ("", []),
    ],
)
def test_a_list_written_as_text(cell: str, items: list[str]) -> None:
    assert split_cells([cell, "['x']"], None) == [items, ["x"]]


def test_cells_are_lists_where_all_that_hold_something_are_in_brackets() -> None:
    assert are_lists(["['a']", "", "[]"])
    assert not are_lists(["['a']", "b"])
    assert not are_lists(["", " "])
    assert not are_lists(["[", "]"])
    assert not are_lists(["[a)"])


def test_lists_written_as_text_are_the_labels_of_a_multilabel_task(tmp_path) -> None:  # type: ignore[no-untyped-def]
    index = several(tmp_path, "id,l\np,\"['dog', 'cat']\"\nq,[]\n", "multilabel", target="l")
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [[1, 1], [0, 0]])


def test_lists_of_one_label_are_the_classes_of_a_task_with_one(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    index = several(tmp_path, "id,l\np,['dog']\nq,['cat']\n", "multiclass", target="l")
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [1, 0])
    assert "the lists of one label in 'l' are read as labels" in capsys.readouterr().err
    data = several(tmp_path, "id,l\np,\"['dog','x']\"\nq,['cat']\n", None, target="l")
    assert "1 of them of several labels (lines 2): use task: multilabel" in refusal(data)
