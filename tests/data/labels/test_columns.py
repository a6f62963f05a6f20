"""Columns of zeros and ones, of shares, and of what nobody said."""

from __future__ import annotations

import numpy as np
import pytest
from layout_toys import refusal, several, touch

from comp.config.schema import DataConfig
from comp.data.labels.columns import means, number_of, zero_or_one
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


@pytest.mark.parametrize(
    "cell", ["1", "1.0", "1.", "1.00", " True", "TRUE", "t", "yes", "Y", "1e0"]
)
def test_these_cells_are_a_one(cell: str) -> None:
    assert zero_or_one(cell) == 1


@pytest.mark.parametrize(
    "cell", ["0", "0.0", "0.", "0.00", "False ", "FALSE", "f", "no", "N", "-0"]
)
def test_these_cells_are_a_zero(cell: str) -> None:
    assert zero_or_one(cell) == 0


@pytest.mark.parametrize("cell", ["", "2", "-1", "0.5", "nan", "inf", "maybe", "0_1", "1 0"])
def test_these_cells_are_neither(cell: str) -> None:
    assert zero_or_one(cell) is None


def test_numbers_may_have_a_comma_and_are_finite() -> None:
    assert [number_of(c) for c in ("0,5", "-1.5", "1e3", "1,2,3", "nan", "x")] == [
        0.5, -1.5, 1000, None, None, None
    ]  # fmt: skip


def test_a_number_means_the_same_however_it_is_written() -> None:
    assert means("-1.0", ("-1",))
    assert means(" U ", ("u",))
    assert not means("1", ("-1",))


def read(root, text: str, task: str, **keys):  # type: ignore[no-untyped-def]
    """The index of a table whose first column is `id`."""
    root.mkdir(exist_ok=True, parents=True)
    (root / "train.csv").write_text(text)
    (root / "train").mkdir(exist_ok=True)
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    touch(root / "train", *(f"{name}.png" for name in names))
    target = text.splitlines()[0].split(",")[1:]
    data = DataConfig(**{"root": str(root), "target": target, **keys})
    return data if task == "" else read_index(data, TASKS[task])


TRUE = "id,cat,dog\na,True,False\nb,FALSE,true\nc,1.0,0.\n"


def test_truth_values_and_floats_are_zeros_and_ones_and_told_once(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, TRUE, "multilabel")
    assert index.classes == ("cat", "dog")
    assert index.labels.tolist() == [[1, 0], [0, 1], [1, 0]]
    plain = read(tmp_path / "plain", "id,cat,dog\na,1,0\nb,0,1\nc,1,0\n", "multilabel")
    assert plain.fingerprint == index.fingerprint
    read(tmp_path, TRUE, "multilabel")
    said = capsys.readouterr().err
    assert said.count("'0.', 'FALSE', 'False' in the label columns are read as 0") == 1
    assert said.count("'1.0', 'True', 'true' in the label columns are read as 1") == 1
    assert "plain" not in said


def test_one_hot_columns_are_the_classes(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    text = "id,MEL,NV,BCC\na,1.0,0.0,0.0\nb,0,0,1\nc,False,True,False\nd,0,0,1\n"
    index = read(tmp_path, text, "multiclass")
    assert index.classes == ("MEL", "NV", "BCC")
    assert index.labels.tolist() == [0, 2, 1, 2]
    assert "'MEL', 'NV', 'BCC' are read as the classes" in capsys.readouterr().err
    index = read(tmp_path, text, "multiclass", classes=["NV", "BCC", "MEL"])
    assert index.label_texts() == ["MEL", "BCC", "NV", "BCC"]
    assert index.labels.tolist() == [2, 1, 0, 1]


def test_one_hot_columns_may_be_blank_beside_the_one(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, "id,x,y,z\na,1,,\nb,,,1\nc,,1.0,0\n", "multiclass")
    assert index.classes == ("x", "y", "z")
    assert index.labels.tolist() == [0, 2, 1]
    assert "each row has one 1, and blank cells beside it" in capsys.readouterr().err


def test_a_column_without_a_one_is_a_class_all_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, "id,x,y,z\na,1,0,0\nb,0,1,0\n", "multiclass")
    assert (index.classes, index.labels.tolist()) == (("x", "y", "z"), [0, 1])


def test_two_one_hot_columns_are_a_binary_task_and_three_are_not(tmp_path) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, "id,no,yes\na,1,0\nb,0,1\n", "binary")
    assert (index.classes, index.labels.tolist()) == (("no", "yes"), [0, 1])
    data = read(tmp_path, "id,x,y,z\na,1,0,0\nb,0,1,0\n", "")
    assert "3 classes ('x', 'y', 'z') where task: binary has 2" in refusal(data, "binary")
    data = read(tmp_path, "id,x,y\na,1,0\nb,1,0\n", "")
    assert "only one class ('x')" in refusal(data)


def test_attributes_of_zeros_and_ones_are_joined_as_before(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, "id,male,old\na,1,0\nb,1,1\nc,0,0\n", "multiclass")
    assert index.classes == ("0|0", "1|0", "1|1")
    rows = "".join(f"r{n},1,0,0\n" for n in range(9))
    index = read(tmp_path, f"id,x,y,z\n{rows}q,0,1,1\n", "multiclass")
    assert index.classes == ("0|1|1", "1|0|0")
    assert "In 90% of the rows exactly one is 1" in capsys.readouterr().err


SOFT = "id,x,y,z\na,0.2,0.7,0.1\nb,0.5,0.5,0\nc,1,0,0\n"


def test_shares_of_the_classes_are_refused_until_the_config_says_argmax(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    message = refusal(read(tmp_path, SOFT, ""))
    assert "'x', 'y', 'z' are shares of the classes: they sum to 1 in each row" in message
    assert "data.soft: learn gives them to the loss" in message
    assert "argmax keeps the largest alone" in message
    index = read(tmp_path, SOFT, "multiclass", soft="argmax")
    assert (index.classes, index.labels.tolist()) == (("x", "y", "z"), [1, 0, 0])
    assert "of equal ones the first, in 1 rows" in capsys.readouterr().err
    percent = "id,x,y,z\na,20%,70 %,10%\nb,50%,50%,0%\nc,100%,0,0\n"
    assert "are shares of the classes" in refusal(read(tmp_path, percent, ""))
    index = read(tmp_path, percent, "multiclass", soft="argmax")
    assert (index.classes, index.labels.tolist()) == (("x", "y", "z"), [1, 0, 0])
    votes = "id,x,y\na,3,7\nb,9,1\n"
    assert "they sum to 10 in each row" in refusal(read(tmp_path, votes, ""))
    assert "not numbers of 0 and more: 'u'" in refusal(
        read(tmp_path, "id,x,y\na,0.3,u\nb,0,1\n", "", soft="argmax")
    )


def test_shares_of_single_labels_are_refused_until_the_config_says_round(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = "id,x,y\na,0.2,0.7\nb,0.5,1\n"
    assert "data.soft: round makes 0.5 and more a 1" in refusal(
        read(tmp_path, text, ""), "multilabel"
    )
    index = read(tmp_path, text, "multilabel", soft="round")
    assert index.labels.tolist() == [[0, 1], [1, 1]]
    percent = read(tmp_path, "id,x,y\na,20%,70%\nb,50%,100%\n", "multilabel", soft="round")
    assert percent.labels.tolist() == [[0, 1], [1, 1]]
    data = read(tmp_path, text, "", soft="argmax")
    assert "data.soft: argmax is not for task: multilabel; use round" in refusal(data, "multilabel")


def test_shares_are_kept_for_the_loss(tmp_path) -> None:  # type: ignore[no-untyped-def]
    votes = "id,y,x,z\na,7,2,1\nb,5,5,0\nc,0,4,0\n"
    index = read(tmp_path / "one", votes, "multiclass", soft="learn", classes=["x", "y", "z"])
    assert index.labels.tolist() == [1, 1, 0]
    expected = np.array([[0.2, 0.7, 0.1], [0.5, 0.5, 0], [1, 0, 0]], np.float32)
    assert index.shares is not None
    assert (index.shares == expected).all()
    other = read(tmp_path / "two", votes.replace("7,2,1", "6,3,1"), "multiclass", soft="learn")
    plain = read(tmp_path / "three", votes, "multiclass", soft="argmax")
    assert plain.shares is None
    assert len({index.fingerprint, other.fingerprint, plain.fingerprint}) == 3
    assert "1 rows have no share above 0" in refusal(
        read(tmp_path / "four", "id,x,y\na,0,0\nb,1,0.5\nc,.2,1\n", "", soft="learn")
    )


def test_shares_of_single_labels_are_kept_with_what_is_unknown(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = "id,x,y\na,0.2,70%\nb,yes,-1\n"
    index = read(tmp_path, text, "multilabel", soft="learn", unknown=["-1"])
    assert index.labels.tolist() == [[0, 1], [1, -1]]
    assert index.shares is not None
    assert index.shares.tolist() == np.array([[0.2, 0.7], [1, -1]], np.float32).tolist()
    data = read(tmp_path, "id,x\na,0.2\nb,1\n", "", soft="learn")
    assert "needs a column of shares for each class in data.target" in refusal(data, "multiclass")


PARTLY = "id,x,y\na,1.0,\nb,-1.0,0\nc,nan,1\n"


def test_blank_and_unknown_cells_are_refused_until_the_config_says_what_they_are(tmp_path) -> None:  # type: ignore[no-untyped-def]
    message = refusal(read(tmp_path, PARTLY, ""), "multilabel")
    assert "column 'x': 2 cells are neither 0 nor 1: '-1.0', 'nan' on lines 3, 4" in message
    assert "set data.blank to zero (no label), or to unknown" in message
    assert "data.unknown: ['-1.0']" in message


def test_blank_cells_are_zero_or_unknown_and_told(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    index = read(tmp_path, PARTLY, "multilabel", blank="zero", unknown=["-1"])
    assert index.labels.tolist() == [[1, 0], [-1, 0], [0, 1]]
    assert "1 cells of the label columns ('-1.0') are unknown" in capsys.readouterr().err
    index = read(tmp_path, PARTLY, "multilabel", blank="unknown", unknown=[-1])
    assert index.labels.tolist() == [[1, -1], [-1, 0], [-1, 1]]
    assert index.labels.dtype == np.int64
    assert index.unknown.tolist() == [2, 1]
    assert index.cells.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert "3 cells of the label columns ('', '-1.0', 'nan') are unknown" in capsys.readouterr().err
    data = read(tmp_path, "id,x\na,p\nb,q\n", "", blank="zero")
    assert "data.unknown, data.blank: for task: multilabel only" in refusal(data)


def test_a_list_column_may_be_unknown_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    keys = {"target": "tags", "separator": " "}
    text = "id,tags\np,y x\nq,\n"
    assert several(tmp_path, text, "multilabel", **keys).labels.tolist() == [[1, 1], [0, 0]]
    index = several(tmp_path, text, "multilabel", blank="unknown", **keys)
    assert index.labels.tolist() == [[1, 1], [-1, -1]]
