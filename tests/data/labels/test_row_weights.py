from __future__ import annotations

import re
from pathlib import Path

import pytest

from comp.config.schema import DataConfig
from comp.data.index.tables import make_table
from comp.data.labels.row_weights import read_weights

DATA = DataConfig(root=".", weight="w")


def table(*cells: str):  # type: ignore[no-untyped-def]
    rows = list(range(2, 2 + len(cells)))
    return make_table({"id": [*"abcdef"[: len(cells)]], "w": [*cells]}, Path("t.csv"), rows)


def test_weights_are_numbers_from_zero_on() -> None:
    found, complaints = read_weights(table("1", "0", "2,5"), DATA)
    assert found is not None
    assert (found.tolist(), complaints) == ([1.0, 0.0, 2.5], [])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("1", "-1", ""), r"2 cells of column 'w' are no number from 0 on: \"line 3: '-1'\""),
        (("0", "0"), r"column 'w' is 0 in each row"),
        (("1", "inf"), r"1 cells of column 'w'"),
    ],
)
def test_what_cannot_be_a_weight_is_told(cells: tuple[str, ...], message: str) -> None:
    found, complaints = read_weights(table(*cells), DATA)
    assert found is None
    (text,) = complaints
    assert re.search(message, text)


def test_without_the_column_there_are_no_weights_and_a_wrong_name_is_told() -> None:
    assert read_weights(table("1"), DataConfig(root=".")) == (None, [])
    _, complaints = read_weights(table("1"), DataConfig(root=".", weight="ww"))
    assert "data.weight: no column 'ww'" in complaints[0]
