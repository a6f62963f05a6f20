"""Tables with several rows for each image."""

from __future__ import annotations

from pathlib import Path

import pytest
from layout_toys import refusal, touch

from comp.config.schema import DataConfig
from comp.data.folds.external_folds import column_folds
from comp.data.index.index import Index
from comp.data.labels.long_rows import split_id
from comp.data.layouts.layouts import read_index
from comp.data.layouts.test_answers import read_answers
from comp.tasks.kinds import TASKS

MULTILABEL = TASKS["multilabel"]


def lay(root: Path, text: str, **keys: object) -> DataConfig:
    (root / "train").mkdir(exist_ok=True)
    (root / "train.csv").write_text(text)
    touch(root / "train", "p_1.png", "p_2.png", "p_3.png")
    return DataConfig(**{"root": str(root), "target": "label", "rows": "label", **keys})  # type: ignore[arg-type]


LABELS = "id,label,who,part\np_2,cat,a,0\np_1,dog,b,1\np_2,dog,a,0\np_3,,b,1\np_2,cat,a,0\n"


def read(data: DataConfig, task: str = "multilabel") -> Index:
    return read_index(data, TASKS[task])


def test_rows_of_one_label_are_joined_and_repeats_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = read(lay(tmp_path, LABELS, group="who"))
    assert index.ids == ("p_1", "p_2", "p_3")
    assert index.classes == ("cat", "dog")
    assert index.labels.tolist() == [[0, 1], [1, 1], [0, 0]]
    assert index.groups == ("b", "a", "b")
    said = capsys.readouterr().err
    assert "5 rows of one label are joined to 3 images; 1 rows say what another one says" in said


def test_rows_of_an_image_agree_on_its_group_and_its_fold(tmp_path: Path) -> None:
    message = refusal(
        lay(tmp_path, LABELS.replace("dog,a,0", "dog,x,2"), group="who", fold="part"), "multilabel"
    )
    assert "column 'who': the rows of 1 images differ: 'p_2'" in message
    assert "column 'part': the rows of 1 images differ: 'p_2'" in message
    data = lay(tmp_path, LABELS, fold="part")
    assert column_folds(data, read(data))[0].tolist() == [1, 0, 1]


def test_wrong_keys_of_long_tables_are_refused(tmp_path: Path) -> None:
    data = lay(tmp_path, LABELS)
    assert "data.rows: label gives an image several labels: use task: multilabel" in refusal(data)
    assert "no column 'lable'" in refusal(lay(tmp_path, LABELS, target="lable"), "multilabel")
    data = lay(tmp_path, LABELS, target=["label", "who"])
    assert "data.rows: label needs one column in data.target" in refusal(data, "multilabel")
    data = lay(tmp_path, LABELS, classes=["cat", "fox"])
    assert "none of the classes 'cat', 'fox': 'dog'" in refusal(data, "multilabel")
    data = lay(tmp_path, LABELS, rename={"Cat": "cat"})
    assert "data.rename: no label is 'Cat'" in refusal(data, "multilabel")


def test_repeated_ids_with_different_labels_are_told_how_a_row_can_be_a_label(
    tmp_path: Path,
) -> None:
    message = refusal(lay(tmp_path, "id,label\np_1,x\np_1,y\np_2,x\n", rows="image"))
    assert "the id 'p_1' stands on lines 2 (x) and 3 (y)" in message
    assert "task: multilabel and data.rows: label" in message
    message = refusal(lay(tmp_path, "id,label\np_1,x\np_1,x\np_2,y\n", rows="image"))
    assert "data.rows" not in message


CLASSES = "id,label\n" + "".join(
    f"p_{n}{{0}}{name},{int(n == 2 or name == 'any')}\n"
    for n in (2, 1, 3)
    for name in ("any", "no_find-ing")
)


@pytest.mark.parametrize("between", ["_", "-", "/", " "])
def test_rows_of_an_image_and_a_class_are_joined(tmp_path: Path, between: str) -> None:
    index = read(lay(tmp_path, CLASSES.format(between), rows="class"))
    assert index.ids == ("p_1", "p_2", "p_3")
    assert index.classes == ("any", "no_find-ing")
    assert index.labels.tolist() == [[1, 0], [1, 1], [1, 0]]


def test_the_class_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    text = "id,kind,label\np_1,x,1.0\np_1,y,0\np_2,y,1\np_2,x,False\np_2,x,0\n"
    data = lay(tmp_path, text, rows="class", class_column="kind")
    assert read(data).labels.tolist() == [[1, 0], [0, 1]]
    one_each = read(data, "multiclass")
    assert (one_each.classes, one_each.labels.tolist()) == (("x", "y"), [0, 1])
    assert read(data.model_copy(update={"classes": ("y", "x")})).labels.tolist() == [[0, 1], [1, 0]]


def test_what_rows_of_classes_leave_open_is_refused(tmp_path: Path) -> None:
    keys = {"rows": "class", "class_column": "kind"}
    short = "id,kind,label\np_1,x,1\np_1,y,0\np_2,y,1\n"
    message = refusal(lay(tmp_path, short, **keys), "multilabel")
    assert "1 images have no row for some class: 'p_2'; set data.blank to zero" in message
    assert read(lay(tmp_path, short, blank="zero", **keys)).labels.tolist() == [[1, 0], [0, 1]]
    assert read(lay(tmp_path, short, blank="unknown", **keys)).labels.tolist() == [[1, 0], [-1, 1]]
    odd = short + "p_2,x,1\np_2,x,0\n"
    assert "1 images have a class with different values: 'p_2'" in refusal(
        lay(tmp_path, odd, **keys), "multilabel"
    )
    assert "1 images have none or several classes: 'p_2'" in refusal(
        lay(tmp_path, short + "p_2,x,1\n", **keys)
    )
    lost = refusal(lay(tmp_path, "id,label\nq_9_x,1\np_1_x,0\n", rows="class"), "multilabel")
    assert "1 ids are not an image and a class" in lost


def test_answers_are_read_as_the_training_table_is(tmp_path: Path) -> None:
    touch(tmp_path / "test", "t_1.png", "t_2.png")
    (tmp_path / "answers.csv").write_text("id,label\nt_2_b,1\nt_2_a,0\nt_1_a,1\nt_1_b,1\n")
    data = lay(tmp_path, CLASSES, rows="class", test_answers="answers.csv")
    found = read_answers(data, MULTILABEL, ("a", "b"), ["t_1", "t_2"])
    assert found is not None
    assert found.tolist() == [[1, 1], [0, 1]]


def test_an_id_is_cut_after_the_longest_image() -> None:
    images = {"a", "a_b"}
    assert split_id("a_b_c", images.__contains__) == ("a_b", "c")
    assert split_id("a_c_d", images.__contains__) == ("a", "c_d")
    assert split_id("x_c", images.__contains__) is None
    assert split_id("a_", images.__contains__) is None
