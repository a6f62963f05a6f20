from pathlib import Path

import pytest
from layout_toys import lay, refusal
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.schema import DataConfig
from comp.core.errors import ConfigError
from comp.data.index.tables import read_table
from comp.data.labels.bins import bin_names, measured, to_bins
from comp.data.labels.labels import read_labels
from comp.data.layouts.layouts import read_index
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


def numbers(name: str, *cells: object) -> str | None:
    return measured(name, [str(cell) for cell in cells])


def test_many_numbers_with_hardly_more_rows_look_measured_and_get_edges() -> None:
    message = numbers("Pawpularity", *range(0, 48, 2))
    assert message is not None
    assert "column 'Pawpularity' holds 24 different numbers in 24 rows" in message
    assert "data.bins: {Pawpularity: [16, 32]}" in message
    assert "data.numbers: classes" in message


def test_prices_and_percentages_are_numbers() -> None:
    message = numbers("y", *[f"${n},500" for n in range(1, 25)])
    assert message is not None
    assert "data.bins: {y: [9500, 17500]}" in message
    assert numbers("y", *[f"{n}.5 %" for n in range(24)]) is not None
    assert numbers("y", *[f"{n},{n}" for n in range(24)]) is None
    assert to_bins(["$1,200.50", "900"], [2, 3], [1000], "y") == ([">=1000", "<1000"], [])


def test_many_fractions_and_numbers_below_zero_look_measured_however_many_rows_there_are() -> None:
    assert numbers("y", *[n / 4 for n in range(11)] * 9) is not None
    assert numbers("y", *list(range(-5, 6)) * 9) is not None


def test_many_numbers_in_a_column_called_like_a_quantity_look_measured() -> None:
    assert numbers("patientAge", *list(range(20, 60)) * 9) is not None
    assert numbers("boneage", *list(range(20, 60)) * 9) is not None
    assert numbers("damage", *list(range(20, 60)) * 9) is None
    assert numbers("product", *list(range(20, 60)) * 9) is None


def test_few_numbers_codes_and_names_may_be_classes() -> None:
    assert numbers("digit", *range(10)) is None
    assert numbers("age", *list(range(10)) * 3) is None
    assert numbers("y", *[f"{n:03d}" for n in range(30)]) is None
    assert numbers("y", *range(30), "none") is None
    assert numbers("product", *list(range(30)) * 3) is None


def test_a_measured_target_is_refused_unless_the_config_says_what_it_is(tmp_path: Path) -> None:
    names = [f"{n:02d}" for n in range(24)]
    table = "".join(f"{name},{4 * n}\n" for n, name in enumerate(names))
    images = [f"{name}.png" for name in names]
    assert "something measured" in refusal(lay(tmp_path, table, images))
    index = read_index(lay(tmp_path, table, images, numbers="classes"), TASKS["multiclass"])
    assert len(index.classes) == 24
    data = lay(tmp_path, table, images, bins={"label": [32, 64]})
    assert read_index(data, TASKS["multiclass"]).classes == ("<32", "32-63", ">=64")
