"""Several people label an image: the mean of their rows counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_toys import touch

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def read(root: Path, text: str, task: str, **keys: Any) -> Index:
    (root / "train").mkdir(exist_ok=True)
    (root / "train.csv").write_text(text)
    touch(root / "train", "p.png", "q.png", "r.png")
    return read_index(DataConfig(root=str(root), rows="mean", **keys), TASKS[task])


def test_numbers_are_averaged_column_by_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "id,w,h\nq,1,4\np,2,1\nq,2,\np,5,3\nr,7,7\nq,6,8\n"
    index = read(tmp_path, text, "regression", target=["w", "h"])
    assert index.ids == ("p", "q", "r")
    assert index.labels.tolist() == [[3.5, 2.0], [3.0, 6.0], [7.0, 7.0]]
    assert "6 rows are averaged to 3 images" in capsys.readouterr().err


def test_votes_of_classes_are_shares_that_data_soft_decides(tmp_path: Path) -> None:
    text = "id,label\np,cat\np,cat\np,dog\nq,dog\nr,cow\nr,dog\nr,dog\nr,dog\n"
    index = read(tmp_path, text, "multiclass", target=["label"], soft="learn")
    assert index.classes == ("cat", "cow", "dog")
    assert [index.classes[k] for k in index.labels] == ["cat", "dog", "dog"]
    assert index.shares is not None
    expected = [[2 / 3, 0, 1 / 3], [0, 0, 1], [0, 0.25, 0.75]]
    assert index.shares == pytest.approx(np.array(expected), abs=1e-6)
    with pytest.raises(DataError, match=r"data.soft"):
        read(tmp_path, text, "multiclass", target=["label"])


def test_people_who_agree_need_no_shares_and_a_rare_class_stays(tmp_path: Path) -> None:
    text = "id,label\np,a\np,a\nq,b\nr,c\nr,c\n"
    index = read(tmp_path, text, "multiclass", target=["label"])
    assert (index.classes, index.labels.tolist()) == (("a", "b", "c"), [0, 1, 2])


def test_zeros_and_ones_of_labels_are_averaged(tmp_path: Path) -> None:
    text = "id,x,y\np,1,yes\np,0,yes\nq,0,no\nr,1,no\nr,1,no\nr,0,yes\n"
    index = read(tmp_path, text, "multilabel", target=["x", "y"], soft="round")
    assert index.labels.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_what_cannot_be_averaged_is_told(tmp_path: Path) -> None:
    text = "id,w\np,1\np,big\nq,2\nr,3\n"
    with pytest.raises(DataError, match=r"column 'w' holds \"line 3: 'big'\""):
        read(tmp_path, text, "regression", target=["w"])
    text = "id,label,g\np,a,1\np,a,2\nq,b,1\nr,a,3\n"
    with pytest.raises(DataError, match="the rows of 1 images differ"):
        read(tmp_path, text, "binary", target=["label"], group="g")
