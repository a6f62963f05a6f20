"""Which samples have a row for each image and class."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.data.index.tables import make_table
from comp.data.labels.sample_pairs import class_column, sample_pairs

IMAGES = {"a", "b_1"}.__contains__


@pytest.mark.parametrize("between", ["_", "-", "/", " "])
def test_ids_that_join_image_and_class(between: str) -> None:
    ids = [f"{image}{between}{name}" for image in ("b_1", "a") for name in ("x", "no_y")]
    found = sample_pairs(make_table({"id": ids}, Path("s")), "id", IMAGES)
    assert found is not None
    assert found.images == ("b_1", "b_1", "a", "a")
    assert found.codes == ("x", "no_y", "x", "no_y")
    assert found.ids == ("b_1", "a")
    lacking = sample_pairs(make_table({"id": ids[:-1]}, Path("s")), "id", IMAGES)
    assert lacking is not None
    assert lacking.codes == ("x", "no_y", "x")
    twice = make_table({"id": [*ids, ids[0]]}, Path("s"))
    assert sample_pairs(twice, "id", IMAGES) is None
    before = [f"{name}{between}{image}" for image in ("b_1", "a") for name in ("x", "no_y")]
    assert sample_pairs(make_table({"id": before}, Path("s")), "id", IMAGES) == found


def test_a_class_in_a_column_of_its_own() -> None:
    columns = {"id": ["a", "b_1", "a", "b_1"], "kind": list("xxyy"), "p": ["0"] * 4}
    table = make_table(columns, Path("s"))
    assert class_column(table, "id") == "kind"
    found = sample_pairs(table, "id", IMAGES)
    assert found is not None
    assert (found.ids, found.codes) == (("a", "b_1"), ("x", "x", "y", "y"))
    usage = {"id": columns["id"], "Usage": ["Public"] * 4, "kind": columns["kind"], "p": ["0"] * 4}
    assert class_column(make_table(usage, Path("s")), "id") == "kind"
    odd = make_table({**columns, "kind": list("xxyx")}, Path("s"))
    assert sample_pairs(odd, "id", IMAGES) is None


def test_a_row_for_each_image_is_no_pair() -> None:
    assert sample_pairs(make_table({"id": ["a", "b_1"]}, Path("s")), "id", IMAGES) is None
    assert sample_pairs(make_table({"id": ["a_x", "q_x"]}, Path("s")), "id", IMAGES) is None
    assert sample_pairs(make_table({"id": []}, Path("s")), "id", IMAGES) is None
