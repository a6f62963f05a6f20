"""`comp init` on the layouts that there are, and on folders it has not seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toys import SHARED, lay_masks, paint, toy_rows, write_csv

from comp.config.loading import load_config
from comp.config.schema import Config
from comp.core.errors import DataError, UsageError
from comp.data.layouts.layouts import read_index
from comp.stages.experiment import open_experiment
from comp.stages.init import Begun, init
from comp.tasks.kinds import TASKS


def begin(root: str = "input/toy") -> tuple[Begun, Config]:
    begun = init(Path(root), None, replace=False)
    return begun, load_config(begun.path)


def images(folder: str, names: list[str], size: int = 40) -> None:
    for number, name in enumerate(names):
        paint(Path(folder) / name, 40 + 80 * (number % 2), seed=number, size=size)


def test_a_table_and_folders_of_images(workspace: Path) -> None:
    header, rows = toy_rows("multiclass", 12)
    write_csv(Path("input/toy/train.csv"), [header, *rows])
    write_csv(Path("input/toy/sample_submission.csv"), [header, ["t0", 0], ["t1", 0]])
    images("input/toy/train", [f"{row[0]}.png" for row in rows])
    images("input/toy/test", ["t0.png", "t1.png"])
    begun, config = begin()
    assert begun.problems == ()
    assert (config.name, config.task, config.image.size) == ("toy", "multiclass", 32)
    data = config.data
    assert (data.layout, data.id, data.target, data.group) == ("csv", "id", ("label",), None)
    assert (data.train_images, data.test_images) == ("train", "test")
    assert "# 3 classes: 0 4, 1 4, 2 4" in begun.text
    assert "metric: macro_f1  # ?" in begun.text


def test_a_table_of_paths_with_a_list_of_labels(workspace: Path) -> None:
    names = [f"{part}/{n}.png" for part in ("a", "b") for n in range(6)]
    images("input/toy/pictures", names)
    tags = ["x y", "y z", "x", "z", "x z", "y"] * 2
    rows = [[f"pictures/{n}", t, k // 3] for k, (n, t) in enumerate(zip(names, tags, strict=True))]
    write_csv(Path("input/toy/labels.csv"), [["file", "tags", "patient"], *rows])
    begun, config = begin()
    data = config.data
    assert (config.task, data.target, data.separator) == ("multilabel", ("tags",), " ")
    assert (data.train_csv, data.id, data.group) == ("labels.csv", "file", "patient")
    assert data.train_images == "."
    assert data.sample_submission is None
    assert "looks like a list" in begun.text
    assert "no folder of test images was found" in begun.text


def test_nested_folders_of_classes(workspace: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for name in ("cat", "dog", "emu"):
            images(f"input/toy/data/{split}/{name}/shots", [f"{n}.png" for n in range(count)])
    begun, config = begin()
    assert (config.task, config.data.layout) == ("multiclass", "folders")
    assert config.data.train_images == "data/train"
    assert config.data.test_images == "data/test"
    assert "# 3 classes: cat 4, dog 4, emu 4" in begun.text
    assert "folders lie inside folders" in begun.text
    assert "might be" not in begun.text
    assert begun.problems == ()


def test_two_folders_are_a_binary_task(workspace: Path) -> None:
    images("input/toy/good", ["1.png", "2.png"])
    images("input/toy/bad", ["3.png", "4.png"])
    begun, config = begin()
    assert (config.task, config.data.layout, config.data.train_images) == ("binary", "folders", ".")
    assert "the folder input/toy/test is missing" in begun.problems[0]


def test_defects_and_their_masks(workspace: Path) -> None:
    for folder in ("train/defect_images", "train/defect_masks", "train/normal_images"):
        images(f"input/toy/{folder}", [f"{folder[6]}{n}.png" for n in range(3)])
    images("input/toy/test/images", ["t.png"])
    write_csv(Path("input/toy/test/sample_submission.csv"), [["id", "label"], ["t.png", 0]])
    begun, config = begin()
    assert (config.task, config.data.layout) == ("binary", "defects")
    assert begun.problems == ()
    assert "task: binary  # ? normal against defect; task: segmentation would use" in begun.text
    assert read_index(config.data, TASKS["segmentation"]).masks is not None


def test_images_without_masks_beside_those_with_masks_are_told(workspace: Path) -> None:
    lay_masks(Path("input/toy"), 4)
    Path("input/toy/train").rename("input/toy/defect")
    images("input/toy/good", ["g0.png", "g1.png"])
    begun, config = begin()
    assert (config.data.layout, config.data.train_images) == ("masks", "defect")
    assert "train_images: defect  # ? 'good' without masks are left out" in begun.text
    assert "call the folders as layout: defects does" in begun.text


def test_masks_in_folders_are_no_classes(workspace: Path) -> None:
    images("input/toy/train/good", ["0.png", "1.png"])
    for kind in ("dent", "scratch"):
        images(f"input/toy/test/{kind}", ["0.png"])
        images(f"input/toy/ground_truth/{kind}", ["0_mask.png"])
    with pytest.raises(DataError, match="no layout is recognised"):
        init(Path("input/toy"), None, replace=False)


def test_profiles_and_coco_are_recognised(workspace: Path) -> None:
    head = ["id", "gender", "race", "age", "path"]
    write_csv(Path("input/toy/train/train.csv"), [head, ["1", "male", "Asian", "20", "1_male"]])
    images("input/toy/train/images/1_male", ["mask1.png"])
    text = init(Path("input/toy"), None, replace=False).text
    assert "layout: profiles" in text
    images("input/car/train", ["0.png", "1.png"])
    tree = {"images": [{"file_name": "0.png"}, {"file_name": "1.png"}], "annotations": []}
    outlines = Path("input/car/outlines.json")
    outlines.write_text(json.dumps({**tree, "categories": [{"id": 1}]}), encoding="utf-8")
    text = init(Path("input/car"), None, replace=False).text
    assert "layout: coco" in text
    assert "train_images: train\n" in text
    assert "annotations: [outlines.json]\n" in text
    assert "# COCO: 2 images, 0 outlines of 0 classes" in text


def test_a_tree_of_roboflow_is_recognised(workspace: Path) -> None:
    for number, part in enumerate(("train", "valid", "test")):
        images(f"input/toy/{part}", [f"{part}.png"])
        tree = {
            "images": [{"id": 0, "file_name": f"{part}.png", "height": 8, "width": 8}],
            "annotations": [{"id": number, "image_id": 0, "category_id": 1, "segmentation": []}],
            "categories": [{"id": 0, "name": "damage"}, {"id": 1, "name": "dent"}],
        }
        Path(f"input/toy/{part}/_annotations.coco.json").write_text(json.dumps(tree))
    begun, config = begin()
    assert (config.task, config.metric, config.model.name) == ("segmentation", "dice", "unet")
    assert open_experiment(config).task.spatial
    assert config.data.annotations == (
        "train/_annotations.coco.json",
        "valid/_annotations.coco.json",
    )
    assert config.data.test_answers == "test/_annotations.coco.json"
    assert begun.problems == ()


@pytest.mark.parametrize("layers", [False, True])
def test_mask_files_are_recognised(workspace: Path, layers: bool) -> None:
    lay_masks(Path("input/toy"), 4, layers=layers)
    begun, config = begin()
    assert (config.data.layout, config.data.masks) == ("masks", "train_masks")
    assert (config.data.train_images, config.data.test_images) == ("train", "test")
    assert ("multilabel_segmentation where the classes may overlap" in begun.text) == layers
    assert begun.problems == ()


@pytest.mark.parametrize("joined", [False, True])
def test_run_lengths_are_recognised(workspace: Path, joined: bool) -> None:
    images("input/toy/train", ["a.png", "b.png"])
    images("input/toy/test", ["t.png"])
    rows = [["a.png_1", "1 2 5 1"], ["b.png_1", ""]] if joined else [["a.png", "1 2"]]
    write_csv(Path("input/toy/train.csv"), [["ImageId", "EncodedPixels"], *rows])
    asked = "t.png_1" if joined else "t.png"
    write_csv(
        Path("input/toy/sample_submission.csv"), [["ImageId", "EncodedPixels"], [asked, "1 1"]]
    )
    begun, config = begin()
    assert (config.task, config.data.layout) == ("segmentation", "rle")
    assert (config.data.id, config.data.target) == ("ImageId", ("EncodedPixels",))
    assert config.data.test_images == "test"
    assert begun.problems == ()


def test_a_layout_that_cannot_be_read_is_said_so(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comp.data.layouts.layouts import LAYOUTS
    from comp.scaffold import guess

    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    less = {name: layout for name, layout in LAYOUTS.items() if name != "folders"}
    monkeypatch.setattr(guess, "LAYOUTS", less)
    text = init(Path("input/toy"), None, replace=False).text
    assert "layout: folders  # ? 'folders' is recognised, but this version" in text


def test_probabilities_in_the_sample_are_a_metric_of_probabilities(workspace: Path) -> None:
    header, rows = toy_rows("binary", 8)
    write_csv(Path("input/toy/train.csv"), [header, *rows])
    write_csv(Path("input/toy/sample_submission.csv"), [header, ["t0", "0.5"]])
    images("input/toy/train", [f"{row[0]}.png" for row in rows])
    images("input/toy/test", ["t0.png"])
    assert begin()[1].metric == "roc_auc"


def test_a_config_is_not_written_over(workspace: Path) -> None:
    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    path = init(Path("input/toy"), None, replace=False).path
    with pytest.raises(UsageError, match=r"configs/toy.yaml: is there already.*--replace"):
        init(Path("input/toy"), None, replace=False)
    assert init(Path("input/toy"), None, replace=True).path == path


def test_a_folder_without_a_competition_says_what_it_holds(workspace: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        init(Path("input"), None, replace=False)
    Path("input").mkdir()
    with pytest.raises(DataError, match="no images in it"):
        init(Path("input"), None, replace=False)
    images("input/all", ["1.png"])
    with pytest.raises(DataError, match=r"no layout is recognised.*folders with images: 'all'"):
        init(Path("input"), None, replace=False)


def test_korean_names_survive(workspace: Path) -> None:
    images("input/과일 🍎/사과", ["1.png"])
    images("input/과일 🍎/배", ["3.png"])
    begun, config = begin("input/과일 🍎")
    assert config.data.root == "input/과일 🍎"
    assert config.name == "과일"
    assert "# 2 classes: 배 1, 사과 1" in begun.text


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")
@pytest.mark.parametrize(
    ("name", "task", "layout"),
    [
        ("tiles", "binary", "defects"),
        ("signs", "multiclass", "csv"),
        ("letters", "multilabel", "csv"),
    ],
)
def test_the_real_competitions_are_recognised(workspace, name, task, layout) -> None:
    begun, config = begin(str(SHARED / name))
    assert (config.task, config.data.layout, begun.problems) == (task, layout, ())
