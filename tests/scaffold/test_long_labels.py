"""Tables that seem to have several rows for each image."""

from __future__ import annotations

from pathlib import Path

from comp.data.index.tables import Table, make_table
from comp.scaffold.columns import label_columns
from comp.scaffold.long_labels import joined_ids


def table(**columns: list[str]) -> Table:
    return make_table(columns, Path("t.csv"))


def test_ids_with_several_labels_make_a_row_a_label() -> None:
    found = label_columns(table(id=list("aabbc"), label=list("xyxyx")), "id", None)
    assert (found.task.name, found.columns) == ("multilabel", ("label",))
    assert found.keys == {"rows": "label"}
    assert "2 of 3 ids have rows with different labels" in found.doubts[-1]


def test_repeated_rows_and_a_rare_contradiction_are_for_the_user_to_mend() -> None:
    ids = [str(n) for n in range(40)]
    labels = [str(n % 2) for n in range(40)]
    same = label_columns(table(id=[*ids, "0", "1"], label=[*labels, "0", "1"]), "id", None)
    assert same.keys == {}
    odd = label_columns(table(id=[*ids, "0"], label=[*labels, "1"]), "id", None)
    assert (odd.task.name, odd.keys) == ("binary", {})


def test_a_row_for_each_image_and_class() -> None:
    long = table(id=list("aabb"), kind=list("xyxy"), label=list("0110"))
    found = label_columns(long, "id", table(id=["t"], label=["0"]))
    assert (found.task.name, found.columns) == ("multilabel", ("label",))
    assert found.keys == {"rows": "class", "class_column": "kind"}
    joined = joined_ids(
        table(id=["a_x", "a_y", "b_x", "b_y"], label=list("0110")), "id", {"a", "b"}.__contains__
    )
    assert joined is not None
    assert (joined.columns, joined.keys) == (("label",), {"rows": "class"})
    assert joined_ids(table(id=["q_x", "a_y"], label=["0", "1"]), "id", {"a"}.__contains__) is None
