"""Cells of further columns are joined by id, whatever the order and the suffix of the ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.labels.cells import cells_of

WHY = ("data.aux", "data.train_csv")


def test_cells_come_in_the_order_of_the_ids(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,label,age\nb.png,1,20\na.jpg,0,10\nc,1,30\n")
    data = DataConfig(root=str(tmp_path), id="id", target=("label",))
    assert cells_of(data, "t.csv", ["age", "label"], ["c", "a", "b.png"], WHY) == [
        ["30", "10", "20"],
        ["1", "0", "1"],
    ]


def test_a_missing_column_or_row_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,age\na,10\n")
    data = DataConfig(root=str(tmp_path), id="id", target=("label",))
    with pytest.raises(DataError, match=r"data\.aux: no column 'sex'; its columns are 'id', 'age'"):
        cells_of(data, "t.csv", ["sex"], ["a"], WHY)
    with pytest.raises(DataError, match=r"data\.aux: no row for 1 images: 'z'"):
        cells_of(data, "t.csv", ["age"], ["a", "z"], WHY)
