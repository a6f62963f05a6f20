"""Folds from a column of the table, and nnU-Net's splits there and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from comp.config.schema import DataConfig
from comp.core.errors import DataError, PlanError
from comp.data.folds.external_folds import column_folds, read_splits, splits_text
from comp.data.folds.make import given_plan
from comp.data.index.index import Index

IDS = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
INDEX = Index(IDS, tuple(map(Path, IDS)), ("x", "y"), np.array([0, 1, 0, 1]))


def column(folder: Path, cells: list[str], name: str = "fold") -> tuple[list[int], tuple[str, ...]]:
    rows = [f"{name},{cell}" for name, cell in zip(reversed(IDS), reversed(cells), strict=True)]
    (folder / "train.csv").write_text("\n".join(["id,fold", *rows]) + "\n")
    fold, values = column_folds(DataConfig(root=str(folder), fold=name), INDEX)
    return fold.tolist(), values


@pytest.mark.parametrize(
    ("cells", "fold", "values"),
    [
        (["0", "1", "0", "1"], [0, 1, 0, 1], ("0", "1")),
        (["10", "9", "9", "10"], [1, 0, 0, 1], ("9", "10")),
        (["b", "a", "-1", ""], [1, 0, -1, -1], ("a", "b")),
    ],
)
def test_a_column_of_folds_is_read_by_id(
    tmp_path: Path, cells: list[str], fold: list[int], values: tuple[str, ...]
) -> None:
    assert column(tmp_path, cells) == (fold, values)


def test_a_column_that_is_no_column_of_folds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no table .*train\.csv"):
        column_folds(DataConfig(root=str(tmp_path), fold="fold"), INDEX)
    with pytest.raises(DataError, match=r"data\.fold: no column 'fld'.*Did you mean 'fold'"):
        column(tmp_path, ["0", "1", "0", "1"], "fld")
    with pytest.raises(DataError, match=r"has 4 values \('a', 'b', 'c', 'd'\) for 4 images"):
        column(tmp_path, ["a", "b", "c", "d"])
    with pytest.raises(DataError, match="has 0 values"):
        column(tmp_path, ["", "", "", ""])


def splits(path: Path, *parts: tuple[str, str]) -> Path:
    value = [{"train": train.split(), "val": val.split()} for train, val in parts]
    path.write_text(json.dumps(value))
    return path


def test_splits_go_there_and_back(tmp_path: Path) -> None:
    plan = given_plan(INDEX, np.array([0, 1, 1, 0]), 2, "imported", 42)
    path = tmp_path / "splits_final.json"
    path.write_text(splits_text(plan))
    assert json.loads(path.read_text())[0] == {"train": ["b", "c"], "val": ["a", "d"]}
    fold, count = read_splits(path, INDEX)
    assert (fold.tolist(), count) == ([0, 1, 1, 0], 2)


def test_ids_keep_their_extension_where_they_need_it(tmp_path: Path) -> None:
    ids = ("a.jpg", "a.png", "b.jpg")
    index = Index(ids, tuple(map(Path, ids)), ("x", "y"), np.array([0, 1, 0]))
    plan = given_plan(index, np.array([0, 1, 1]), 2, "imported", 42)
    (tmp_path / "s.json").write_text(splits_text(plan))
    assert read_splits(tmp_path / "s.json", index)[0].tolist() == [0, 1, 1]


def test_one_split_is_a_hold_out(tmp_path: Path) -> None:
    fold, count = read_splits(splits(tmp_path / "s.json", ("a b d", "c")), INDEX)
    assert (fold.tolist(), count) == ([-1, -1, 0, -1], 1)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([("a b", "c d"), ("a b c", "d")], r"fold 1: 'd\.jpg' validate twice"),
        ([("a", "c d"), ("c d", "a b")], r"fold 0: 'b\.jpg' are in no part"),
        ([("a b c", "c d"), ("c d", "a b")], r"fold 0: 'c\.jpg' are in both parts"),
        ([("a b", "c e"), ("c e", "a b")], r"1 ids that the data lacks: 'e'(.|\n)*1 ids of the "),
    ],
)
def test_splits_that_are_no_partition_are_refused(
    tmp_path: Path, parts: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        read_splits(splits(tmp_path / "s.json", *parts), INDEX)


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"train": []}]'])
def test_what_is_no_splits_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(PlanError, match=r"s\.json: not nnU-Net's splits"):
        read_splits(tmp_path / "s.json", INDEX)
    with pytest.raises(PlanError, match=r"t\.json: no such file"):
        read_splits(tmp_path / "t.json", INDEX)
