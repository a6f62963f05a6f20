"""Cells become classes: one, one of several, or several at once."""

import numpy as np
from layout_toys import lay, refusal, several

from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def test_number_classes_are_sorted_by_value(tmp_path):
    data = lay(tmp_path, "a,10\nb,9\nc,-1\n", ["a.png", "b.png", "c.png"])
    index = read_index(data, TASKS["multiclass"])
    assert index.classes == ("-1", "9", "10")
    assert index.labels.tolist() == [2, 1, 0]


def test_the_config_gives_the_order_of_the_classes(tmp_path):
    keys = {"classes": ["yes", "no"]}
    index = read_index(lay(tmp_path, "a,yes\nb,no\n", ["a.png", "b.png"], **keys), TASKS["binary"])
    assert (index.classes, index.labels.tolist()) == (("yes", "no"), [0, 1])


def test_the_classes_of_the_config_must_be_those_of_the_labels(tmp_path):
    keys = {"classes": ["yes", "no"]}
    message = refusal(lay(tmp_path, "a,yes\nb,yess\n", ["a.png", "b.png"], **keys))
    assert (
        "line 3: the label 'yess' is none of the classes 'yes', 'no'. Did you mean 'yes'?"
        in message
    )
    assert "data.classes names what no row has: 'no'" in message


def test_binary_has_two_classes(tmp_path):
    images = ["a.png", "b.png", "c.png"]
    message = refusal(lay(tmp_path, "a,1\nb,2\nc,3\n", images), "binary")
    assert "3 classes ('1', '2', '3') where task: binary has 2" in message
    message = refusal(lay(tmp_path, "a,1\nb,1\nc,1\n", images), "binary")
    assert "only one class ('1')" in message


def test_several_columns_are_one_class(tmp_path):
    keys = {"target": ["a", "b"]}
    index = several(tmp_path, "id,a,b\np,x,1\nq,x,2\n", "multiclass", **keys)
    assert (index.classes, index.labels.tolist()) == (("x|1", "x|2"), [0, 1])
    data = several(tmp_path, "id,a,b\np,x,\nq,x|,2\n", None, **keys)
    assert "column 'a' holds '|'" in refusal(data)


def test_columns_of_zeros_and_ones(tmp_path):
    keys = {"target": ["b", "a"]}
    index = several(tmp_path, "id,a,b\nq,1,0\np,0,0\n", "multilabel", **keys)
    assert index.classes == ("b", "a")
    assert index.labels.tolist() == [[0, 0], [0, 1]]
    assert index.labels.dtype == np.int64
    data = several(tmp_path, "id,a,b\nq,1,2\np,0,\n", None, **keys)
    assert "column 'b': 2 cells are neither 0 nor 1: '', '2' on lines 2, 3" in refusal(
        data, "multilabel"
    )


def test_a_list_of_labels_in_one_column(tmp_path):
    keys = {"target": "tags", "separator": " "}
    index = several(tmp_path, "id,tags\np,y x\nq,\n", "multilabel", **keys)
    assert (index.classes, index.labels.tolist()) == (("x", "y"), [[1, 1], [0, 0]])
    data = several(tmp_path, "id,tags\np,y y\nq,x\n", None, **keys)
    assert "line 2: 'y y' holds an empty or a repeated label" in refusal(data, "multilabel")
    assert "data.separator is for a multilabel task" in refusal(data, "multiclass")
    data = several(tmp_path, "id,tags\np,y x\nq,x\n", None, target="tags")
    assert "a list of labels needs data.separator" in refusal(data, "multilabel")


def test_labels_are_renamed_and_a_name_that_no_label_has_is_refused(tmp_path):
    images = ["a.png", "b.png", "c.png"]
    table = "a,cat\nb,Dog\nc,dog\n"
    index = read_index(lay(tmp_path, table, images, rename={"Dog": "dog"}), TASKS["multiclass"])
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [0, 1, 1])
    message = refusal(lay(tmp_path, table, images, rename={"Dgo": "dog"}))
    assert "data.rename: no label is 'Dgo'. Did you mean 'Dog'?" in message
    keys = {"target": "tags", "separator": " ", "rename": {"Y": "y", 1: "one"}}
    index = several(tmp_path, "id,tags\np,Y y x\nq,1\n", "multilabel", **keys)
    assert index.classes == ("one", "x", "y")
    assert index.labels.tolist() == [[0, 1, 1], [1, 0, 0]]
