"""From the files of a competition to an index; all complaints at once."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from toys import SHARED

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError
from comp.data.layouts.layouts import read_index, read_test
from comp.data.layouts.test_answers import read_answers
from comp.tasks.kinds import TASKS

real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def lay(root, table, images, **keys):
    """A csv competition; `table` without its header `id,label`."""
    root.mkdir(exist_ok=True)
    (root / "train.csv").write_text("id,label\n" + table, encoding="utf-8")
    (root / "train").mkdir(exist_ok=True)
    touch(root / "train", *images)
    return DataConfig(**{"root": str(root), "target": "label", **keys})


def refusal(data, task="multiclass"):
    with pytest.raises(DataError) as caught:
        read_index(data, TASKS[task])
    return str(caught.value)


def files_of(index):
    return {name: path.name for name, path in zip(index.ids, index.paths, strict=True)}


# ids and files


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("x.jpg", "x.jpg"),
        ("x", "x.JPG"),
        ("v1.5", "v1.5.png"),
        ("7", "00007.jpg"),
        ("0", "000.png"),
        ("007", "007.jpg"),
        ("가", unicodedata.normalize("NFD", "가") + ".png"),
        (unicodedata.normalize("NFD", "가.png"), "가.png"),
        ("s/x", "s/x.png"),
        ("s/x.png", "s/x.png"),
        ("x", "deep/er/x.png"),
        ("x.png", "deep/er/x.png"),
        ("x.jpg", "x.JPG"),
        ("two words", "two words.webp"),
        ("IMG_1.jpg", "img_1.JPG"),
        ("IMG_1", "img_1.png"),
        ("img_1.png", "IMG_1.jpg"),
        ("S/IMG_1", "s/img_1.png"),
        ("IMG_1", "s/img_1.png"),
        ("É", unicodedata.normalize("NFD", "é") + ".png"),
    ],
)
def test_an_id_finds_its_file(tmp_path, name, file):
    index = read_index(lay(tmp_path, f"{name},a\nother,b\n", [file, "other.png"]), TASKS["binary"])
    assert files_of(index) == {name: Path(file).name, "other": "other.png"}


def test_an_exact_name_wins(tmp_path):
    data = lay(tmp_path, "x.jpg,a\n7,b\n", ["x.jpg", "x.png", "s/x.jpg", "7.png", "07.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"7": "7.png", "x.jpg": "x.jpg"}


@pytest.mark.parametrize(
    ("name", "images", "told"),
    [
        ("x", ["x.jpg", "x.png"], "the id 'x' may mean x.jpg or x.png"),
        ("x", ["x.jpg", "s/x.jpg"], "the id 'x' may mean"),
        ("007", ["7.jpg", "07.jpg"], "the id '007' may mean"),
        ("img.jpg", ["IMG.jpg", "Img.jpg"], "the id 'img.jpg' may mean IMG.jpg or Img.jpg"),
        ("img", ["IMG.jpg", "Img.png"], "the id 'img' may mean"),
        (unicodedata.normalize("NFC", "é"), ["\u00e9.png", "e\u0301.png"], "may mean"),
        ("a/x", ["x.jpg"], "1 of 2 ids have no image"),
        ("x", [".x.jpg", "__MACOSX/x.jpg"], "1 of 2 ids have no image"),
        ("x", ["x.txt"], "1 of 2 ids have no image"),
        ("../out", [], "leads out of the folder"),
        ("/etc/x.png", [], "leads out of the folder"),
        ("", [], "line 2: the id '' is empty"),
        ("x\0y", [], "control character"),
        ('"x\ny"', [], "line 2: the id 'x\\ny' holds a line break"),
        ("x" * 5000, [], "has 5000 characters"),
    ],
)
def test_an_id_without_one_file_is_a_complaint(tmp_path, name, images, told):
    touch(tmp_path, "out.png")
    assert told in refusal(lay(tmp_path / "in", f"{name},a\nother,b\n", [*images, "other.png"]))


def test_two_ids_of_one_file_are_a_complaint(tmp_path):
    told = refusal(lay(tmp_path, "7,a\n007,b\n", ["007.png"]))
    assert "the ids '7' and '007' both mean" in told


def test_a_link_out_of_the_data_is_not_followed(tmp_path):
    touch(tmp_path, "secret.png")
    data = lay(tmp_path / "in", "x,a\ny,b\n", ["y.png"])
    (tmp_path / "in/train/x.png").symlink_to(tmp_path / "secret.png")
    assert "links that lead out of the data are not followed: 'x.png'" in refusal(data)


@pytest.mark.parametrize(
    ("name", "file", "told"),
    [
        ("x.jpg", "x.JPG", ["another suffix"]),
        ("x", "X.png", ["another letter case"]),
        ("s/x.png", "s/X.png", ["another letter case"]),
        ("x.jpg", "X.png", ["another suffix", "another letter case"]),
        ("é", "e\u0301.png", ["another Unicode form"]),
        ("7", "007.png", []),
        ("x", "x.png", []),
    ],
)
def test_another_spelling_is_told(tmp_path, capsys, name, file, told):
    read_index(lay(tmp_path, f"{name},a\ny.png,b\n", [file, "y.png"]), TASKS["binary"])
    bare = Path(file).name
    lines = [f"1 ids have {what} than their file: {name!r} is {bare}" for what in told]
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{tmp_path / 'train'}: {line}" for line in lines]


def test_files_that_differ_in_case_are_two_images(tmp_path):
    data = lay(tmp_path, "x,a\nX,b\n", ["x.png", "X.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"x": "x.png", "X": "X.png"}


def test_the_suffix_goes_before_the_case(tmp_path):
    data = lay(tmp_path, "y.jpg,a\nz,b\n", ["Y.jpg", "Y.png", "z.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"y.jpg": "Y.jpg", "z": "z.png"}


# labels


def test_everything_is_text(tmp_path):
    images = ["00001.png", "NA.png", "None.png", "1.png"]
    data = lay(tmp_path, "00001,NA\nNA,None\nNone,01\n1,가\n", images)
    index = read_index(data, TASKS["multiclass"])
    assert index.ids == ("00001", "1", "NA", "None")
    assert index.classes == ("01", "NA", "None", "가")
    assert index.label_texts() == ["NA", "가", "None", "01"]


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
    told = refusal(lay(tmp_path, "a,yes\nb,yess\n", ["a.png", "b.png"], **keys))
    assert (
        "line 3: the label 'yess' is none of the classes 'yes', 'no'. Did you mean 'yes'?" in told
    )
    assert "data.classes names what no row has: 'no'" in told


def test_binary_has_two_classes(tmp_path):
    images = ["a.png", "b.png", "c.png"]
    told = refusal(lay(tmp_path, "a,1\nb,2\nc,3\n", images), "binary")
    assert "3 classes ('1', '2', '3') where task: binary has 2" in told
    told = refusal(lay(tmp_path, "a,1\nb,1\nc,1\n", images), "binary")
    assert "only one class ('1')" in told


def several(root, table, task, **keys):
    data = lay(root, "", [], **keys)
    (root / "train.csv").write_text(table)
    touch(root / "train", "p.png", "q.png")
    return data if task is None else read_index(data, TASKS[task])


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


def test_all_complaints_come_at_once(tmp_path):
    data = lay(tmp_path, "x,a\nx,b\ny,\nz,c\n", ["x.png", "y.png"], group="grp")
    told = refusal(data)
    assert "the id 'x' stands on lines 2 (a) and 3 (b)" in told
    assert "1 rows have no label: lines 4" in told
    assert "data.group: no column 'grp'; its columns are 'id', 'label'" in told
    assert "1 of 4 ids have no image in" in told
    assert "'z'" in told


def test_unknown_columns_name_the_nearest(tmp_path):
    told = refusal(lay(tmp_path, "x,a\n", ["x.png"], id="idx", target=["labels"]))
    assert "data.id: no column 'idx'" in told
    assert "no column 'labels'; its columns are 'id', 'label'. Did you mean 'label'?" in told
    told = refusal(lay(tmp_path, "x,a\n", ["x.png"], target=[]))
    assert "data.target names no column" in told


def test_groups_are_text_and_never_empty(tmp_path):
    data = several(tmp_path, "id,label,g\nq,1,01\np,0,1\n", None, group="g")
    assert read_index(data, TASKS["binary"]).groups == ("1", "01")
    data = several(tmp_path, "id,label,g\nq,1,\np,0,1\n", None, group="g")
    assert "1 rows have no group in 'g': lines 2" in refusal(data)


def test_the_order_of_rows_does_not_matter(tmp_path):
    images = ["a.png", "b.png", "c.png"]
    one = read_index(lay(tmp_path, "a,1\nb,2\nc,1\n", images), TASKS["multiclass"])
    two = read_index(lay(tmp_path, "c,1\na,1\nb,2\n", images), TASKS["multiclass"])
    assert one.fingerprint == two.fingerprint
    assert (one.paths, one.labels.tolist()) == (two.paths, two.labels.tolist())


# the test set


def test_test_ids_are_those_of_the_sample(tmp_path):
    data = lay(tmp_path, "x,a\ny,b\n", ["x.png", "y.png"])
    touch(tmp_path / "test", "002.png", "001.png", "003.png")
    (tmp_path / "sample_submission.csv").write_text("number,label\n2,a\n1,a\n")
    index = read_test(data, TASKS["binary"], ("a", "b"))
    assert files_of(index) == {"1": "001.png", "2": "002.png"}
    assert (index.target, index.classes) == (None, ("a", "b"))


def test_without_a_sample_every_test_image_counts(tmp_path):
    data = lay(tmp_path, "", [], sample_submission=None)
    touch(tmp_path / "test", "b.png", "a.JPG", "notes.txt")
    assert read_test(data, TASKS["binary"], ("a", "b")).ids == ("a.JPG", "b.png")


def test_a_sample_that_cannot_be_right(tmp_path):
    data = lay(tmp_path, "", [])
    touch(tmp_path / "test", "a.png")
    with pytest.raises(DataError, match=r"no such file: .*sample_submission.csv; name the file"):
        read_test(data, TASKS["binary"], ("a", "b"))
    (tmp_path / "sample_submission.csv").write_text("id,label\na,0\na,0\nz,0\n")
    with pytest.raises(DataError) as caught:
        read_test(data, TASKS["binary"], ("a", "b"))
    assert "the id 'a' stands on lines 2 and 3" in str(caught.value)
    assert "1 of 3 ids have no image" in str(caught.value)


def test_a_training_image_cannot_be_a_test_image(tmp_path):
    data = lay(tmp_path, "x,a\ny,b\n", ["x.png", "y.png", "z.png"], test_images="train")
    (tmp_path / "sample_submission.csv").write_text("id,label\nz,0\n")
    assert len(read_index(data, TASKS["binary"])) == 2
    (tmp_path / "sample_submission.csv").write_text("id,label\nz,0\ny.png,0\n")
    path = tmp_path / "train/y.png"
    assert refusal(data).splitlines() == [
        f"{tmp_path}: 1 training images are test images:",
        f"  - the training id 'y' ({tmp_path}/train.csv, line 3: {path}) is the test id 'y.png' "
        f"({tmp_path}/sample_submission.csv, line 3: {path})",
    ]


def test_a_link_to_a_training_image_cannot_be_a_test_image(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png")
    (tmp_path / "test/cat").mkdir(parents=True)
    data = DataConfig(root=str(tmp_path), layout="folders")
    assert len(read_index(data, TASKS["binary"])) == 2
    (tmp_path / "test/cat/1.png").symlink_to(tmp_path / "train/cat/1.png")
    told = refusal(data, "binary")
    assert f"'cat/1.png' ({tmp_path}/train/cat/1.png) is the test id 'cat/1.png'" in told


def test_equal_ids_in_two_folders_are_two_images(tmp_path):
    data = lay(tmp_path, "1,a\n2,b\n", ["1.png", "2.png"])
    touch(tmp_path / "test", "1.png")
    (tmp_path / "sample_submission.csv").write_text("id,label\n1,0\n")
    assert len(read_index(data, TASKS["binary"])) == 2


def test_answers_follow_the_test_ids(tmp_path):
    data = lay(tmp_path, "", [], test_answers="truth.csv")
    classes = ("a", "b", "c")
    (tmp_path / "truth.csv").write_text("id,label\n1,b\n2,a\n3,b\n")
    answers = read_answers(data, TASKS["multiclass"], classes, ["3", "2"])
    assert answers.tolist() == [1, 0]
    (tmp_path / "truth.csv").write_text("id,label\n1,x\n1,a\n")
    with pytest.raises(DataError) as caught:
        read_answers(data, TASKS["multiclass"], classes, ["1", "9"])
    assert "1 test ids have no answer: '9'" in str(caught.value)
    assert "the label 'x' is none of the classes" in str(caught.value)
    assert "the id '1' stands on lines 2 and 3" in str(caught.value)
    assert read_answers(lay(tmp_path, "", []), TASKS["multiclass"], classes, ["1"]) is None


# the other layouts


def test_one_folder_a_class(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "train/dog/s/2.JPG", "test/9.png")
    data = DataConfig(root=str(tmp_path), layout="folders")
    index = read_index(data, TASKS["binary"])
    assert index.ids == ("cat/1.png", "dog/1.png", "dog/s/2.JPG")
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [0, 1, 1])
    assert read_test(data, TASKS["binary"], index.classes).ids == ("9.png",)


def test_folders_complain_together(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/loose.png")
    (tmp_path / "train/dog").mkdir()
    told = refusal(DataConfig(root=str(tmp_path), layout="folders", group="g"), "multilabel")
    assert "1 images lie in no folder of a class: 'loose.png'" in told
    assert "folders of a class without images: 'dog'" in told
    assert "data.group: 'g' is a column" in told
    assert "task: multilabel needs the layout 'csv'" in told


def defects(root):
    touch(root / "train", "defect_images/a.jpg", "defect_images/n.jpg", "defect_masks/a.png")
    touch(root / "train", "normal_images/n.jpg", "normal_images/o.jpg")
    touch(root / "test/images", "t.jpg", "u.jpg")
    (root / "test/sample_submission.csv").write_text("ImageId,answer\nu.jpg,0\nt.jpg,0\n")
    return DataConfig(root=str(root), layout="defects")


def test_defects_and_their_masks(tmp_path):
    data = defects(tmp_path)
    index = read_index(data, TASKS["binary"])
    assert index.ids == ("a.jpg", "defect_images/n.jpg", "normal_images/n.jpg", "o.jpg")
    assert (index.classes, index.labels.tolist()) == (("normal", "defect"), [1, 1, 0, 0])
    assert index.mask_paths == (tmp_path / "train/defect_masks/a.png", None, None, None)
    assert read_test(data, TASKS["binary"], index.classes).ids == ("t.jpg", "u.jpg")


def test_answers_may_be_class_numbers(tmp_path):
    data = defects(tmp_path).model_copy(update={"test_answers": "answers.csv"})
    (tmp_path / "answers.csv").write_text("ImageId,answer\nu.jpg,1\nt.jpg,0\n")
    answers = read_answers(data, TASKS["binary"], ("normal", "defect"), ["t.jpg", "u.jpg"])
    assert answers.tolist() == [0, 1]


def test_a_missing_folder_names_the_layouts_that_fit(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png")
    told = refusal(DataConfig(root=str(tmp_path), layout="defects"))
    assert f"the folder {tmp_path / 'train/normal_images'} is missing" in told
    assert "layouts that would fit: folders" in told
    told = refusal(DataConfig(root=str(tmp_path)))
    assert f"the table {tmp_path / 'train.csv'} is missing (data.train_csv)" in told


def test_a_missing_root_names_the_nearest_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input/letters").mkdir(parents=True)
    told = refusal(DataConfig(root="input/leters"))
    assert f"relative to the current folder, {tmp_path}" in told
    assert "Did you mean 'input/letters'?" in told


def test_an_unknown_layout_names_the_choices():
    with pytest.raises(
        ConfigError,
        match=r"csv, folders, .*masks, rle, profiles\. Did you mean 'folders'",
    ):
        read_index(DataConfig(root=".", layout="folder"), TASKS["binary"])


@real
def test_the_real_competitions_are_read():
    letters = DataConfig(root=str(SHARED / "letters"), id="index", target=tuple("abcdefghijklm"))
    index = read_index(letters, TASKS["multilabel"])
    assert (index.labels.shape, index.paths[-1].name) == ((2400, 13), "00999.jpg")
    signs = DataConfig(root=str(SHARED / "signs"), target="label", group="student")
    index = read_index(signs, TASKS["multiclass"])
    assert (len(index), index.classes) == (754, tuple("0123456789"))
    assert len(read_test(signs, TASKS["multiclass"], index.classes)) == 314
    tiles = DataConfig(root=str(SHARED / "tiles"), layout="defects")
    index = read_index(tiles, TASKS["binary"])
    assert (len(index), index.labels.sum(), sum(m is not None for m in index.mask_paths)) == (
        680,
        30,
        30,
    )
    assert len(read_test(tiles, TASKS["binary"], index.classes)) == 418
