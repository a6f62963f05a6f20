"""Guesses about the columns of an unknown table."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.data.index.tables import Table, make_table
from comp.scaffold.columns import group_column, id_column, label_columns, separator_of


def table(**columns: list[str]) -> Table:
    return make_table(columns, Path("t.csv"))


def test_the_id_column_is_the_one_whose_cells_are_images() -> None:
    some = table(no=["1", "2", "3"], file=["a.jpg", "b.jpg", "c.jpg"], copy=["a.jpg"] * 3)

    def matches(cells) -> float:
        return sum(cell.endswith(".jpg") for cell in cells) / len(cells)

    assert id_column(some, matches) == ("file", 1.0)


def test_of_columns_that_all_name_images_row_numbers_are_not_the_ids() -> None:
    numbers = table(index=["0", "1", "2"], id=["0002", "0000", "0001"], again=["2", "0", "1"])
    assert id_column(numbers, lambda _: 1.0) == ("id", 1.0)
    assert id_column(numbers, lambda _: 1.0, ("again",)) == ("again", 1.0)
    assert id_column(table(index=["1", "2"], label=["7", "7"]), lambda _: 1.0)[0] == "index"


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["a b", "b c", "a c", "a", "c", "b"], " "),
        (["a|b", "b|c", "a|c", "a", "c", "b"], "|"),
        (["cat", "dog", "cat", "dog"], None),
        ([f"img {n}" for n in range(8)], None),
        (["New York", "New York", "Old Town", "Old Town"], None),
        (["a, b", "b, c", "a, c", "c", "b", "a"], ","),
    ],
)
def test_lists_of_labels_differ_from_names_with_spaces(cells, separator) -> None:
    assert separator_of(cells) == separator


def test_the_sample_names_the_label_columns() -> None:
    train = table(id=["1", "2"], a=["0", "1"], b=["1", "0"], site=["x", "y"])
    found = label_columns(train, "id", table(id=["3"], a=["0"], b=["0"]))
    assert (found.columns, found.task.name, found.doubts) == (("a", "b"), "multilabel", ())


def test_without_a_sample_the_column_names_decide() -> None:
    ids = [str(n) for n in range(6)]
    train = table(id=ids, width=["9"] * 6, label=list("ababab"), note=list("uvwxyz"))
    assert label_columns(train, "id", None).columns == ("label",)
    assert label_columns(train, "id", None).task.name == "binary"
    assert label_columns(train, "id", None).doubts == ()


def test_a_column_with_no_telling_name_is_a_doubt() -> None:
    ids = [str(n) for n in range(6)]
    found = label_columns(table(id=ids, p=list("abcabc"), q=list("uvwxyz")), "id", None)
    assert (found.columns, found.task.name) == (("p",), "multiclass")
    assert found.doubts == ("one of the columns p, q",)


def test_a_column_of_measurements_is_a_doubt() -> None:
    train = table(id=list("1234"), price=["1.5", "2.5", "3.5", "4.5"])
    assert "4 different values: are they classes?" in label_columns(train, "id", None).doubts[0]


def test_groups_are_recognised_by_their_name_or_are_a_doubt() -> None:
    many = [str(n // 4) for n in range(40)]
    rows = [str(n) for n in range(40)]
    assert group_column(table(id=rows, patientId=many), ["id"])[0] == "patientId"
    assert group_column(table(id=rows, thing=many), ["id"]) == (
        None,
        "'thing' with 10 different values may be one",
    )
    assert group_column(table(id=rows, thing=many), ["id", "thing"]) == (None, "")


def test_a_column_called_a_grade_may_be_one() -> None:
    grades = ["0", "1", "2", "2", "1", "0", "0", "0"]
    for name, cells, hint in (
        ("diagnosis", grades, True),
        ("digit", grades, False),
        ("diagnosis", ["a", "b", "c", "c", "b", "a", "a", "a"], False),
    ):
        found = label_columns(table(id=[*"stuvwxyz"], **{name: cells}), "id", None)
        assert found.task.name == "multiclass"
        assert any("task: ordinal" in doubt for doubt in found.doubts) == hint
