"""COCO files, mask files and run lengths are recognised for segmentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scaffold_toys import images, new_config
from toys import lay_masks, write_csv

from comp.core.errors import DataError
from comp.stages.experiment import open_experiment
from comp.stages.init import init


def test_images_without_masks_beside_those_with_masks_are_a_doubt(workspace: Path) -> None:
    lay_masks(Path("input/toy"), 4)
    Path("input/toy/train").rename("input/toy/defect")
    images("input/toy/good", ["g0.png", "g1.png"])
    made, config = new_config()
    assert (config.data.layout, config.data.train_images) == ("masks", "defect")
    assert "train_images: defect  # ? 'good' without masks are ignored" in made.text
    assert "rename the folders for layout: defects" in made.text


def test_masks_in_folders_are_no_classes(workspace: Path) -> None:
    images("input/toy/train/good", ["0.png", "1.png"])
    for kind in ("dent", "scratch"):
        images(f"input/toy/test/{kind}", ["0.png"])
        images(f"input/toy/ground_truth/{kind}", ["0_mask.png"])
    with pytest.raises(DataError, match="no layout is recognised"):
        init(Path("input/toy"), None, replace=False)


def test_a_tree_of_roboflow_is_recognised(workspace: Path) -> None:
    for number, part in enumerate(("train", "valid", "test")):
        images(f"input/toy/{part}", [f"{part}.png"])
        tree = {
            "images": [{"id": 0, "file_name": f"{part}.png", "height": 8, "width": 8}],
            "annotations": [
                {
                    "id": number,
                    "image_id": 0,
                    "category_id": 1,
                    "segmentation": [[0, 0, 4, 0, 4, 4]],
                }
            ],
            "categories": [{"id": 0, "name": "damage"}, {"id": 1, "name": "dent"}],
        }
        Path(f"input/toy/{part}/_annotations.coco.json").write_text(json.dumps(tree))
    made, config = new_config()
    assert (config.task, config.metric, config.model.name) == ("segmentation", "dice", "unet")
    assert open_experiment(config).task.spatial
    assert config.data.annotations == (
        "train/_annotations.coco.json",
        "valid/_annotations.coco.json",
    )
    assert config.data.test_answers == "test/_annotations.coco.json"
    assert made.problems == ()


@pytest.mark.parametrize("layers", [False, True])
def test_mask_files_are_recognised(workspace: Path, layers: bool) -> None:
    lay_masks(Path("input/toy"), 4, layers=layers)
    made, config = new_config()
    assert (config.data.layout, config.data.masks) == ("masks", "train_masks")
    assert (config.data.train_images, config.data.test_images) == ("train", "test")
    assert ("multilabel_segmentation where the classes may overlap" in made.text) == layers
    assert made.problems == ()


@pytest.mark.parametrize(("joined", "empty"), [(False, "-"), (True, ""), (True, "[]")])
def test_run_lengths_are_recognised(workspace: Path, joined: bool, empty: str) -> None:
    images("input/toy/train", ["a.png", "b.png"])
    images("input/toy/test", ["t.png"])
    mark = "_1" if joined else ""
    rows = [[f"a.png{mark}", "1 2 5 1"], [f"b.png{mark}", empty]]
    write_csv(Path("input/toy/train.csv"), [["ImageId", "EncodedPixels"], *rows])
    asked = "t.png_1" if joined else "t.png"
    write_csv(
        Path("input/toy/sample_submission.csv"), [["ImageId", "EncodedPixels"], [asked, "1 1"]]
    )
    made, config = new_config()
    assert (config.task, config.data.layout) == ("segmentation", "rle")
    assert (config.data.id, config.data.target) == ("ImageId", ("EncodedPixels",))
    assert config.data.test_images == "test"
    assert made.problems == ()


@pytest.mark.parametrize(
    ("image", "mask", "test"),
    [
        ("train/x{}.png", "train/x{}_mask.png", "test"),
        ("train/x{}.png", "train/mask_x{}.png", "test"),
        ("imagesTr/x{}_0000.png", "labelsTr/x{}.png", "imagesTs"),
        ("pictures/x{}.png", "masks/x{}_seg.png", "test"),
    ],
)
def test_masks_whose_names_have_an_affix(workspace: Path, image: str, mask: str, test: str) -> None:
    for form in (image, mask):
        folder, _, name = form.partition("/")
        images(f"input/toy/{folder}", [name.format(n) for n in range(4)])
    images(f"input/toy/{test}", ["t.png"])
    made, config = new_config()
    data = config.data
    folders = image.partition("/")[0], mask.partition("/")[0], test
    assert (data.layout, data.train_images, data.masks, data.test_images) == ("masks", *folders)
    assert "images and masks are joined by their names: " in made.text


def test_an_image_without_a_mask_of_the_affix_is_no_guess(workspace: Path) -> None:
    images("input/toy/train", ["x1.png", "x1_mask.png", "x2.png", "x3.png"])
    with pytest.raises(DataError, match="no layout is recognised"):
        new_config()
