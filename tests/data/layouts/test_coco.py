"""The layout `coco`: which images and classes it gives, and what lies on top in its masks."""

from pathlib import Path

import pytest
from coco_toys import LEFT, TOP, lay, read

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.layouts.test_answers import read_true_masks
from comp.tasks.kinds import TASKS


def test_train_and_valid_are_training_images_and_the_heading_is_no_class(workspace: Path) -> None:
    lay("train", {"a.jpg": [(1, LEFT), (2, TOP)], "b.jpg": []})
    lay("valid", {"c.jpg": [(2, LEFT)]})
    lay("test", {"d.jpg": [(1, LEFT)]})
    index = read()
    assert index.ids == ("a.jpg", "b.jpg", "c.jpg")
    assert index.classes == ("dent", "scratch")
    assert index.codes == ("1", "2")
    assert index.target.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert index.label_texts()[1] == ""
    assert (index.masks.read(2)[..., 0] == [[2] * 4 + [0] * 4] * 6).all()


def test_a_category_zero_that_is_used_is_a_class(workspace: Path) -> None:
    lay("train", {"a.jpg": [(0, LEFT)], "b.jpg": [(1, LEFT)]})
    assert read().classes == ("damage", "dent", "scratch")


@pytest.mark.parametrize(
    ("on_top", "corner"), [("larger_id", 2), ("later", 1), ("smaller", 1)]
)  # the scratch comes first, and is the larger one
def test_what_lies_on_top_is_chosen(workspace: Path, on_top: str, corner: int) -> None:
    lay("train", {"a.jpg": [(2, LEFT), (1, TOP)]})
    assert read(on_top=on_top).masks.read(0)[0, 0, 0] == corner


def test_the_order_of_the_classes_may_be_given(workspace: Path) -> None:
    lay("train", {"a.jpg": [(1, LEFT)]})
    index = read(classes=["scratch", "dent"])
    assert (index.classes, index.codes) == (("scratch", "dent"), ("2", "1"))
    assert index.masks.read(0)[0, 0].tolist() == [2]


def test_regions_that_overlap_are_layers(workspace: Path) -> None:
    crowd = {"size": [6, 8], "counts": [0, 6, 42]}
    lay("train", {"a.jpg": [(1, LEFT), (2, crowd)]})
    mask = read("multilabel_segmentation").masks.read(0)
    assert mask.shape == (6, 8, 2)
    assert mask.sum(axis=(0, 1)).tolist() == [24, 6]


def test_files_of_one_name_are_told_apart_by_their_folders(workspace: Path) -> None:
    lay("train", {"a.jpg": [(1, LEFT)]})
    lay("valid", {"a.jpg": []})
    assert read().ids == ("train/a.jpg", "valid/a.jpg")


def test_a_json_beside_the_folder_is_found(workspace: Path) -> None:
    lay("train", {"a.jpg": [(1, LEFT)]}).rename("input/train_annotations.coco.json")
    assert read().ids == ("a.jpg",)


def test_all_complaints_come_at_once(workspace: Path) -> None:
    marks = [
        {"id": 7, "image_id": 9, "category_id": 1, "segmentation": [LEFT]},
        {"id": 8, "image_id": 0, "category_id": 5, "segmentation": [LEFT]},
        {"id": 9, "image_id": 0, "category_id": 1},
    ]
    lay("train", {"a.jpg": [], "b.jpg": []}, annotations=marks)
    Path("input/train/b.jpg").rename("input/train/e.jpg")
    with pytest.raises(DataError) as caught:
        read(group="car")
    lines = str(caught.value).splitlines()
    assert [line.strip(" -") for line in lines] == [
        "input: not data of the layout 'coco':",
        "_annotations.coco.json: 1 annotations of images that are not listed: 7",
        "_annotations.coco.json: 1 annotations of unknown categories: '8 (category 5)'",
        "_annotations.coco.json: 1 annotations that cannot be read: "
        "'9 has neither polygons nor run lengths'",
        "no file for the image 'b.jpg'",
        "1 images are in no json; remove them, or add them to it: 'e.jpg'",
        "data.group: 'car' is a column, and this layout has no table",
    ]


def test_other_classes_than_those_of_the_config_are_refused(workspace: Path) -> None:
    lay("train", {"a.jpg": []})
    with pytest.raises(DataError, match=r"data\.classes: 'dent', 'glass'; the json has 'dent', "):
        read(classes=["dent", "glass"])


def test_a_missing_json_is_an_error(workspace: Path) -> None:
    lay("train", {"a.jpg": []}).unlink()
    with pytest.raises(DataError, match="no json with 'train' in its name"):
        read()


def test_the_true_masks_of_the_test_are_read(workspace: Path) -> None:
    lay("train", {"a.jpg": [(1, LEFT)]})
    lay("test", {"d.jpg": [(1, LEFT)], "e.jpg": []})
    data = DataConfig(root="input", layout="coco", test_answers="test/_annotations.coco.json")
    task = TASKS["segmentation"]
    masks = read_true_masks(data, task, ("dent", "scratch"), ["e", "d.jpg"])
    assert masks is not None
    assert [int(masks.read(row).sum()) for row in range(2)] == [0, 24]
    with pytest.raises(DataError, match=r"1 test ids are not in it: 'f\.jpg'"):
        read_true_masks(data, task, ("dent", "scratch"), ["f.jpg"])
