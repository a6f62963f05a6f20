"""Several columns of numbers: classes, labels, shares, and what nobody said."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.data.index.tables import Table, make_table
from comp.scaffold.columns import label_columns
from comp.scaffold.wide_labels import is_zero_one


def table(text: str) -> Table:
    heads, *rows = [line.split(",") for line in text.split()]
    columns = {name: [row[n] for row in rows] for n, name in enumerate(heads)}
    return make_table(columns, Path("t.csv"))


def guess(text: str, sample: str | None = None) -> tuple[str, tuple[str, ...], dict[str, object]]:
    found = label_columns(table(text), "id", None if sample is None else table(sample))
    return found.task.name, found.columns, found.keys


ONE_HOT = "id,x,y,z\na,1.0,0.0,0\nb,0,True,0\nc,0,0,1"


@pytest.mark.parametrize("sample", [None, "id,x,y,z\nt,0.3,0.3,0.4", "id,label\nt,y"])
def test_one_hot_columns_are_a_task_with_one_class(sample: str | None) -> None:
    assert guess(ONE_HOT, sample) == ("multiclass", ("x", "y", "z"), {})


def test_one_hot_columns_are_found_beside_others() -> None:
    beside = "id,who,age,x,y,z\na,p,30,1,0,0\nb,q,40,0,1,0\nc,r,50,0,0,1"
    assert guess(beside) == ("multiclass", ("x", "y", "z"), {})


def test_columns_with_several_ones_are_labels() -> None:
    assert guess("id,x,y\na,True,True\nb,False,True", "id,x,y\nt,0,0")[:2] == (
        "multilabel", ("x", "y")
    )  # fmt: skip


def test_blank_and_negative_cells_are_unknown_or_zeros() -> None:
    sample = "id,x,y\nt,0,0"
    assert guess("id,x,y\na,1.0,\nb,-1.0,0", sample) == (
        "multilabel", ("x", "y"), {"blank": "unknown", "unknown": ["-1.0"]}
    )  # fmt: skip
    assert guess("id,x,y\na,1,\nb,1,1", sample) == ("multilabel", ("x", "y"), {"blank": "zero"})


def test_one_hot_columns_may_be_blank_beside_the_one() -> None:
    ones = "id,x,y,z\na,1,,\nb,,1,\nc,,,1"
    assert guess(ones) == ("multiclass", ("x", "y", "z"), {})
    several = "id,x,y,z\na,1,,\nb,,1,1\nc,,,1"
    assert guess(several) == ("multilabel", ("x", "y", "z"), {"blank": "zero"})


def test_shares_are_the_largest_class_or_rounded_labels() -> None:
    soft = "id,x,y,z\na,0.2,0.7,0.1\nb,1,0,0"
    percent = "id,x,y,z\na,20%,70%,10%\nb,100%,0%,0%"
    sample = "id,x,y,z\nt,0.3,0.3,0.4"
    for table, given in ((soft, None), (soft, sample), (percent, sample)):
        assert guess(table, given) == ("multiclass", ("x", "y", "z"), {"soft": "argmax"})
    single = "id,x,y\na,0.2,0.7\nb,1,0.5"
    assert guess(single, "id,x,y\nt,0,0") == ("multilabel", ("x", "y"), {"soft": "round"})


def test_a_column_of_zeros_and_ones_may_have_gaps() -> None:
    assert is_zero_one(["1", "", "-1.0", "no"])
    assert not is_zero_one(["", "-1"])
    assert not is_zero_one(["1", "2"])
