from pathlib import Path

import pytest
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.schema import DataConfig
from comp.core.errors import ConfigError
from comp.data.index.bins import bin_names, to_bins
from comp.data.index.labels import read_labels
from comp.data.index.tables import read_table
from comp.tasks.kinds import TASKS


def test_an_edge_belongs_to_the_class_above_it() -> None:
    assert bin_names((30.0, 60.0)) == ("<30", "30-59", ">=60")
    assert bin_names((0.5,)) == ("<0.5", ">=0.5")
    cells = ["29", "29.9", "30", "59", "60", " 61 ", ""]
    found, wrong = to_bins(cells, range(2, 9), (30, 60), "age")
    assert found == ["<30", "<30", "30-59", "30-59", ">=60", ">=60", ""]
    assert wrong == []


def test_cells_that_are_no_number_are_told_with_their_lines() -> None:
    _, wrong = to_bins(["x", "1", "nan", "inf"], [2, 3, 4, 5], (1.0,), "age")
    assert wrong == [
        f"line {line}: {cell!r} in 'age' is no number (data.bins)"
        for line, cell in ((2, "x"), (4, "nan"), (5, "inf"))
    ]


def labelled(tmp_path: Path, **keys: object) -> object:
    path = tmp_path / "t.csv"
    path.write_text("id,sex,age\na,m,100\nb,w,7\nc,m,20\nd,w,65\n")
    data = DataConfig(root=".", **{"target": ("sex", "age"), "bins": {"age": (18.0, 65.0)}, **keys})
    return read_labels(read_table(path), data, TASKS["multiclass"])


def test_joined_classes_are_sorted_by_column_with_bins_from_below(tmp_path: Path) -> None:
    read = labelled(tmp_path)
    assert read.classes == ("m|18-64", "m|>=65", "w|<18", "w|>=65")
    assert read.target.tolist() == [1, 2, 0, 3]


def test_bins_of_what_is_no_target_are_refused(tmp_path: Path) -> None:
    read = labelled(tmp_path, target=("sex",))
    assert read.complaints == ("data.bins: 'age' is no column of data.target: 'sex'",)


def test_edges_must_rise() -> None:
    with pytest.raises(ConfigError, match=r"bins\.age: the edges must rise"):
        make_config(toy_tree("multiclass", data__bins={"age": [60, 30]}))
