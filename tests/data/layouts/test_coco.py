import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import save

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.layouts.layouts import read_index
from comp.data.layouts.test_answers import read_true_masks
from comp.data.masks.coco_shapes import shape_fault
from comp.tasks.kinds import TASKS

BLACK = np.zeros((6, 8, 3), np.uint8)
LEFT = [0.0, 0.0, 4.0, 0.0, 4.0, 6.0, 0.0, 6.0]
TOP = [0.0, 0.0, 8.0, 0.0, 8.0, 2.0, 0.0, 2.0]
NAMES = ((0, "damage"), (1, "dent"), (2, "scratch"))


def lay(
    folder: str, images: dict[str, list[tuple[int, Any]]], names: Any = NAMES, **over: Any
) -> Path:
    """Images of a folder, and their json as Roboflow writes it."""
    items, marks = [], []
    for number, (name, shapes) in enumerate(images.items()):
        save(Path("input") / folder / name, BLACK)
        items.append({"id": number, "file_name": name, "height": 6, "width": 8})
        for category, shape in shapes:
            area = {str(LEFT): 24, str(TOP): 16}.get(str(shape), 1)
            marks.append(
                {
                    "id": len(marks),
                    "image_id": number,
                    "category_id": category,
                    "segmentation": shape if isinstance(shape, dict) else [shape],
                    "area": area,
                    "iscrowd": int(isinstance(shape, dict)),
                }
            )
    tree = {
        "images": items,
        "annotations": marks,
        "categories": [{"id": number, "name": name} for number, name in names],
    }
    path = Path("input") / folder / "_annotations.coco.json"
    path.write_text(json.dumps({**tree, **over}))
    return path


def read(task: str = "segmentation", **over: Any) -> Any:
    data = DataConfig.model_validate({"root": "input", "layout": "coco", **over})
    return read_index(data, TASKS[task])


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


def test_a_json_of_something_else_is_told(workspace: Path) -> None:
    path = lay("train", {"a.jpg": []})
    path.write_text('{"images": []}')
    with pytest.raises(DataError, match="not COCO annotations: 'categories' is missing"):
        read()
    path.unlink()
    with pytest.raises(DataError, match="no json with 'train' in its name"):
        read()


def test_odd_shapes_are_told_and_what_is_inside_is_used(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beyond = [4.0, 0.0, 30.0, 0.0, 30.0, 6.0, 4.0, 6.0]
    lay("train", {"a.jpg": [(1, beyond), (2, [0, 0, 3, 3])]})
    assert read().masks.read(0)[0, :, 0].tolist() == [0] * 4 + [1] * 4
    said = "".join(capsys.readouterr())
    assert "1 annotations have polygons of fewer than three points; those cover nothing: 1" in said
    assert "1 annotations reach beyond their image; what is inside is used: 0" in said


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


PACKED = "=24000a0"  # 6 x 8 pixels, six of them marked


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([1, 2, 3, 4, 5, 6], "is not a list of polygons"),
        ([["a", 2, 3, 4, 5, 6]], "has points that are not numbers"),
        ([[0, 0, float("nan"), 4, 5, 6]], "has points that are not numbers"),
        ([[0, 0, 4, 4, 5, 6, 7]], "has a polygon of 7 numbers"),
        ([[0, 0, 1e9, 4, 5, 6]], "has a point at 1000000000, far outside"),
        ({"size": [6, 8]}, "has no run lengths"),
        ({"size": [6, 8], "counts": [100, 50]}, "has run lengths of 150 pixels, its image has 48"),
        ({"size": [6, 8], "counts": [5, 3]}, "has run lengths of 8 pixels"),
        ({"size": [6, 8], "counts": [5.5, 42.5]}, "that are not whole numbers"),
        ({"size": [8, 6], "counts": [48]}, "is of size [8, 6], its image of [6, 8]"),
        ({"size": [6, 8], "counts": "$$$zzz"}, "has packed run lengths that cannot be read"),
        ({"size": [6, 8], "counts": PACKED[:3]}, "has run lengths of"),
        ({"size": [6, 8], "counts": PACKED + "11"}, "has run lengths of"),
        (None, "has neither polygons nor run lengths"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_refused(
    workspace: Path, shape: Any, message: str
) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)]})
    tree = json.loads(path.read_text())
    tree["annotations"][0]["segmentation"] = shape
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match="1 annotations that cannot be read") as caught:
        read()
    assert message in str(caught.value)
    assert message.split(",")[0] in str(shape_fault(shape, (6, 8)))


def test_an_area_is_needed_only_where_the_smaller_object_is_on_top(workspace: Path) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT), (2, TOP)]})
    tree = json.loads(path.read_text())
    tree["annotations"][0]["area"] = None
    path.write_text(json.dumps(tree))
    assert read().target.tolist() == [[1, 1]]
    with pytest.raises(DataError, match="0 has no area, which data.on_top: smaller needs"):
        read(on_top="smaller")


def test_two_images_of_one_number_are_refused(workspace: Path) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": []})
    tree = json.loads(path.read_text())
    tree["images"][1]["id"] = 0
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match=r"images with the same id: 'a.jpg \(0\)', 'b.jpg \(0\)'"):
        read()
    tree["images"][1] = {**tree["images"][0], "id": 1}
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match="images listed twice: 'a.jpg'"):
        read()
    del tree["images"][1]["width"]
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match="the image .*a.jpg.*: 'width' is missing"):
        read()


def test_annotations_of_the_supercategory_are_a_warning(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay("train", {"a.jpg": [(0, LEFT), (1, LEFT)]})
    tree = json.loads(path.read_text())
    for category in tree["categories"]:
        category["supercategory"] = "damage" if category["id"] else "none"
    path.write_text(json.dumps(tree))
    read()
    warning = "1 annotations are of category 0, 'damage', the supercategory of the others: 0"
    assert warning in "".join(capsys.readouterr())


def test_an_image_that_is_listed_twice_is_told_with_both_entries(workspace: Path) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": []})
    tree = json.loads(path.read_text())
    tree["images"].append({**tree["images"][0], "id": 7})
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match="the image 'a.jpg' is listed several times") as caught:
        read()
    message = "'_annotations.coco.json, id 0', '_annotations.coco.json, id 7'"
    assert message in str(caught.value)
