"""The training images as a solution, in the form of the sample submission."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_toys import touch

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError
from comp.data.layouts.layouts import read_index
from comp.submission.solution import Posed, pose
from comp.tasks.kinds import TASKS


def posed(folder: Path, train: str, sample: str, kind: str, **keys: Any) -> Posed:
    (folder / "train.csv").write_text(train)
    (folder / "sample_submission.csv").write_text(sample)
    ids = [line.split(",")[0] for line in train.splitlines()[1:]]
    (folder / "train").mkdir()
    touch(folder / "train", *(f"{name}.png" for name in ids))
    data = DataConfig(**{"root": str(folder), "target": ["y"], **keys})
    index = read_index(data, TASKS[kind])
    return pose(index, data, TASKS[kind], "auto")


def test_classes_are_written_by_name_beside_other_columns(tmp_path: Path) -> None:
    made = posed(tmp_path, "id,y,p\n1,3,a\n2,7,b\n3,7,a\n", "id,y\n9,3\n", "multiclass")
    frame = made.solution.frame
    assert (made.wants, made.solution.id) == ("labels", "id")
    assert frame.to_dict("list") == {"id": [1, 2, 3], "y": [3, 7, 7], "p": ["a", "b", "a"]}
    assert made.form.columns(np.array([1, 0]))["y"].tolist() == [7, 3]


def test_a_sample_of_probabilities_wants_them(tmp_path: Path) -> None:
    made = posed(tmp_path, "id,y\n1,0\n2,1\n", "id,y,Usage\n9,0.5,Public\n", "binary")
    assert made.wants == "probs"
    assert made.solution.frame["y"].tolist() == [0, 1]
    assert made.form.columns(np.array([[0.25], [0.5]]))["y"].tolist() == [0.25, 0.5]


def test_a_column_per_class_is_found_by_its_name(tmp_path: Path) -> None:
    made = posed(tmp_path, "id,y\n1,cat\n2,dog\n3,cat\n", "id,p_dog,p_cat\n9,0,0\n", "multiclass")
    assert made.wants == "probs"
    assert made.solution.frame[["p_dog", "p_cat"]].to_numpy().tolist() == [[0, 1], [1, 0], [0, 1]]
    columns = made.form.columns(np.array([[0.9, 0.1]]))
    assert (columns["p_cat"].tolist(), columns["p_dog"].tolist()) == ([0.9], [0.1])


def test_several_labels_and_numbers_have_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text, keys = "id,u,v\n1,1,0\n2,0,1\n", {"target": ["u", "v"]}
    made = posed(tmp_path / "a", text, "id,v,u\n9,0,0\n", "multilabel", **keys)
    assert made.wants == "labels"
    assert made.form.columns(np.array([[1, 0]]))["v"].tolist() == [0]
    made = posed(tmp_path / "b", "id,y\n1,1.5\n2,0.25\n", "id,y\n9,0\n", "regression")
    assert made.wants == "probs"
    assert made.solution.frame["y"].tolist() == [1.5, 0.25]


def test_a_sample_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="are not called like the classes 'cat', 'dog'"):
        posed(tmp_path, "id,y\n1,cat\n2,dog\n", "id,one,two\n9,0,0\n", "multiclass")
