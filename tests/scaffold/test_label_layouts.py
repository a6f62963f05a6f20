"""Tables, folders per class and known layouts are recognised for classification."""

from __future__ import annotations

from pathlib import Path

import pytest
from scaffold_toys import images, new_config
from toys import toy_rows, write_csv

from comp.core.errors import DataError
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def test_a_table_and_folders_of_images(workspace: Path) -> None:
    header, rows = toy_rows("multiclass", 12)
    write_csv(Path("input/toy/train.csv"), [header, *rows])
    write_csv(Path("input/toy/sample_submission.csv"), [header, ["t0", 0], ["t1", 0]])
    images("input/toy/train", [f"{row[0]}.png" for row in rows])
    images("input/toy/test", ["t0.png", "t1.png"])
    made, config = new_config()
    assert made.problems == ()
    assert (config.name, config.task, config.image.size) == ("toy", "multiclass", 32)
    data = config.data
    assert (data.layout, data.id, data.target, data.group) == ("csv", "id", ("label",), None)
    assert (data.train_images, data.test_images) == ("train", "test")
    assert "# 3 classes: 0 4, 1 4, 2 4" in made.text
    assert "metric: macro_f1  # ?" in made.text


def test_a_table_of_paths_with_a_list_of_labels(workspace: Path) -> None:
    names = [f"{part}/{n}.png" for part in ("a", "b") for n in range(6)]
    images("input/toy/pictures", names)
    tags = ["x y", "y z", "x", "z", "x z", "y"] * 2
    rows = [[f"pictures/{n}", t, k // 3] for k, (n, t) in enumerate(zip(names, tags, strict=True))]
    write_csv(Path("input/toy/labels.csv"), [["file", "tags", "patient"], *rows])
    made, config = new_config()
    data = config.data
    assert (config.task, data.target, data.separator) == ("multilabel", ("tags",), " ")
    assert (data.train_csv, data.id, data.group) == ("labels.csv", "file", "patient")
    assert data.train_images == "."
    assert data.sample_submission is None
    assert "looks like a list of labels" in made.text
    assert "no folder of test images was found" in made.text


def test_nested_folders_of_classes(workspace: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for name in ("cat", "dog", "emu"):
            images(f"input/toy/data/{split}/{name}/shots", [f"{n}.png" for n in range(count)])
    made, config = new_config()
    assert (config.task, config.data.layout) == ("multiclass", "folders")
    assert config.data.train_images == "data/train"
    assert config.data.test_images == "data/test"
    assert "# 3 classes: cat 4, dog 4, emu 4" in made.text
    assert "there are folders inside folders" in made.text
    assert "or '" not in made.text
    assert made.problems == ()


def test_two_folders_are_a_binary_task(workspace: Path) -> None:
    images("input/toy/good", ["1.png", "2.png"])
    images("input/toy/bad", ["3.png", "4.png"])
    made, config = new_config()
    assert (config.task, config.data.layout, config.data.train_images) == ("binary", "folders", ".")
    assert "the folder input/toy/test is missing" in made.problems[0]


def test_defects_and_their_masks(workspace: Path) -> None:
    for folder in ("train/defect_images", "train/defect_masks", "train/normal_images"):
        images(f"input/toy/{folder}", [f"{folder[6]}{n}.png" for n in range(3)])
    images("input/toy/test/images", ["t.png"])
    write_csv(Path("input/toy/test/sample_submission.csv"), [["id", "label"], ["t.png", 0]])
    made, config = new_config()
    assert (config.task, config.data.layout) == ("binary", "defects")
    assert made.problems == ()
    assert "task: binary  # ? normal against defect; task: segmentation would use" in made.text
    assert read_index(config.data, TASKS["segmentation"]).masks is not None


def test_probabilities_in_the_sample_are_a_metric_of_probabilities(workspace: Path) -> None:
    header, rows = toy_rows("binary", 8)
    write_csv(Path("input/toy/train.csv"), [header, *rows])
    write_csv(Path("input/toy/sample_submission.csv"), [header, ["t0", "0.5"]])
    images("input/toy/train", [f"{row[0]}.png" for row in rows])
    images("input/toy/test", ["t0.png"])
    assert new_config()[1].metric == "roc_auc"


@pytest.mark.parametrize("form", ["{}.{}.png", "{}_{}.png", "{1}-{0}.png"])
def test_labels_in_the_names(workspace: Path, form: str) -> None:
    for name, count in (("cat", 6), ("dog", 5)):
        images("input/toy/train", [form.format(name, n) for n in range(count)])
    images("input/toy/test1", ["1.png", "2.png"])
    made, config = new_config()
    assert (config.task, config.data.layout) == ("binary", "names")
    assert (config.data.train_images, config.data.test_images) == ("train", "test1")
    assert "# 2 classes: cat 6, dog 5" in made.text
    assert "the labels are in the names of the files: 'cat', 'dog'" in made.text
    assert made.problems == ()


def test_running_numbers_are_no_labels(workspace: Path) -> None:
    images("input/toy/train", [f"train_{n}.png" for n in range(12)])
    with pytest.raises(DataError, match="no layout is recognised"):
        new_config()


def test_a_row_for_each_image_and_class_is_no_doubt_about_ids_or_probabilities(
    workspace: Path,
) -> None:
    rows = [[name, kind, "01"[(name == "a") == (kind == "x")]] for name in "ab" for kind in "xy"]
    write_csv(Path("input/toy/train.csv"), [["id", "kind", "y"], *rows])
    sample = [["id", "kind", "y"], ["c", "x", "0.5"], ["c", "y", "0.5"]]
    write_csv(Path("input/toy/sample_submission.csv"), sample)
    images("input/toy/train", ["a.png", "b.png"])
    images("input/toy/test", ["c.png"])
    made, config = new_config()
    assert (config.data.rows, config.data.class_column) == ("class", "kind")
    assert "exactly one image" not in made.text
    assert config.metric == "roc_auc"
