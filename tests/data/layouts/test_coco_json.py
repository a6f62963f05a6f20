"""COCO's json files: everything that is wrong in them, at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_toys import BLACK, LEFT, TOP, lay, read
from toys import save

from comp.core.errors import DataError
from comp.data.layouts.coco_json import image_ids, read_coco
from comp.data.masks.coco_shapes import shape_fault


def test_odd_shapes_are_told_and_what_is_inside_is_used(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beyond = [4.0, 0.0, 30.0, 0.0, 30.0, 6.0, 4.0, 6.0]
    lay("train", {"a.jpg": [(1, beyond), (2, [0, 0, 3, 3])]})
    assert read().masks.read(0)[0, :, 0].tolist() == [0] * 4 + [1] * 4
    said = "".join(capsys.readouterr())
    assert "1 annotations have polygons of fewer than three points; those cover nothing: 1" in said
    assert "1 annotations reach beyond their image; what is inside is used: 0" in said


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


def change(path: Path, **entry: Any) -> None:
    """Change what a json says of its first image."""
    tree = json.loads(path.read_text())
    tree["images"][0] |= entry
    path.write_text(json.dumps(tree))


def test_a_json_says_its_images_annotations_and_categories(workspace: Path) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT), (2, TOP)], "b.jpg": []})
    found = read_coco((path,), Path("input"), "train")
    assert [(image.name, image.path, image.height, image.width) for image in found.images] == [
        ("a.jpg", Path("input/train/a.jpg"), 6, 8),
        ("b.jpg", Path("input/train/b.jpg"), 6, 8),
    ]
    keys = [(str(path), 0), (str(path), 1)]
    assert [image.key for image in found.images] == keys
    assert {key: [item["id"] for item in own] for key, own in found.annotations.items()} == {
        keys[0]: [0, 1],
        keys[1]: [],
    }
    assert found.categories == {0: "damage", 1: "dent", 2: "scratch"}
    assert (found.complaints, found.headed) == ((), False)


def test_equal_numbers_in_two_files_are_different_images(workspace: Path) -> None:
    paths = lay("train", {"a.jpg": [(1, LEFT)]}), lay("valid", {"b.jpg": [(2, TOP)]})
    found = read_coco(paths, Path("input"), "train")
    own = [[item["category_id"] for item in found.annotations[i.key]] for i in found.images]
    assert own == [[1], [2]]
    assert found.complaints == ()


def test_a_category_with_two_names_is_a_complaint(workspace: Path) -> None:
    paths = lay("train", {"a.jpg": []}), lay("valid", {"b.jpg": []}, ((1, "rust"), (2, "scratch")))
    found = read_coco(paths, Path("input"), "train")
    assert found.complaints == ("category 1 is 'dent' and 'rust'",)
    assert found.categories[1] == "dent"


def test_a_json_without_images_is_a_complaint(workspace: Path) -> None:
    path = lay("train", {})
    found = read_coco((path,), Path("input"), "train")
    assert found.complaints == ("'_annotations.coco.json': lists no images",)


def test_a_file_name_with_the_folders_of_another_machine_is_found_by_its_last_part(
    workspace: Path,
) -> None:
    path = lay("train", {"a.jpg": []})
    change(path, file_name="C:\\data\\train\\a.jpg")
    (image,) = read_coco((path,), Path("input"), "train").images
    assert (image.name, image.path) == ("C:\\data\\train\\a.jpg", Path("input/train/a.jpg"))


def test_a_file_name_that_leads_out_of_the_data_finds_nothing(workspace: Path) -> None:
    path = lay("train", {"a.jpg": []})
    save(Path("secret.jpg"), BLACK)
    change(path, file_name="../../secret.jpg")
    (image,) = read_coco((path,), Path("input"), "train").images
    assert image.path is None


def test_annotations_of_no_image_or_category_are_counted_and_left_out(workspace: Path) -> None:
    marks = [
        {"id": 7, "image_id": 9, "category_id": 1, "segmentation": [LEFT]},
        {"id": 8, "image_id": None, "category_id": 1, "segmentation": [LEFT]},
        {"id": 9, "image_id": 0, "category_id": "rust", "segmentation": [LEFT]},
        {"image_id": "0", "category_id": "1", "segmentation": [LEFT]},
    ]
    path = lay("train", {"a.jpg": []}, annotations=marks)
    found = read_coco((path,), Path("input"), "train")
    assert found.complaints == (
        "_annotations.coco.json: 2 annotations of images that are not listed: 7, 8",
        "_annotations.coco.json: 1 annotations of unknown categories: "
        + repr("9 (category 'rust')"),
    )
    assert found.annotations[str(path), 0] == [marks[3]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": []}', r"not COCO annotations: 'categories' is missing"),
        ('{"categories": [], "images": []}', r"not COCO annotations: 'annotations' is missing"),
        ('{"categories": [{"id": null, "name": "a"}]}', r"\(an id is a number or a text"),
        ('{"categories": 3}', r"not COCO annotations \('int' object is not iterable"),
        ('{"categories": [], "images": [{"id": 1, "file_name": "a", "height": "x", "width": 2}]}',
         r"not COCO annotations: the image .*'a'.*: invalid literal"),
        ('{"categories": [], "images": [], "annotations": [3]}', r"not COCO annotations \('int'"),
        ("{", r"_annotations\.coco\.json"),
    ],
)  # fmt: skip
def test_what_is_no_coco_json_is_refused(workspace: Path, content: str, message: str) -> None:
    path = lay("train", {"a.jpg": []})
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_coco((path,), Path("input"), "train")


def rewrite(path: Path, **to: Any) -> None:
    """Change the ids of images and categories: old -> new."""
    tree = json.loads(path.read_text())
    for item in tree["images"]:
        item["id"] = to["images"][item["id"]]
    for item in tree["annotations"]:
        item["image_id"] = to.get("said", to["images"])[item["image_id"]]
        item["category_id"] = to.get("categories", [0, 1, 2])[item["category_id"]]
    for item in tree["categories"]:
        item["id"] = to.get("categories", [0, 1, 2])[item["id"]]
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (["b-7", "a-7"], ["b-7", "a-7"]),
        (["1_11", "11_1"], ["1_11", "11_1"]),  # both are 111 where "_" is no letter
        (["007", "7"], ["007", 7]),
        (["007", "08"], [7, "8"]),
        ([7.0, 12], ["7", "012"]),
    ],
)
def test_ids_may_be_texts(workspace: Path, images: list[Any], said: list[Any]) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": [(2, TOP)]})
    rewrite(path, images=images, said=said, categories=["all", "dent-1", 9])
    found = read()
    assert found.classes == ("scratch", "damage", "dent")
    assert found.codes == ("9", "all", "dent-1")
    assert found.target.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_gap_between_categories_is_no_class(workspace: Path) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": [(2, TOP)]})
    rewrite(path, images=[3, 900], categories=[0, 17, 90])
    found = read()
    assert (found.classes, found.codes) == (("dent", "scratch"), ("17", "90"))
    assert [found.masks.read(row).max() for row in (0, 1)] == [1, 2]


@pytest.mark.parametrize("outline", [[], None])
def test_boxes_without_an_outline_are_told_and_mark_nothing(
    workspace: Path, capsys: pytest.CaptureFixture[str], outline: Any
) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT), (1, LEFT), (2, TOP)], "b.jpg": [(2, TOP)]})
    tree = json.loads(path.read_text())
    for item in tree["annotations"][1:3]:
        item |= {"segmentation": outline, "bbox": [0, 0, 4, 6]}
    path.write_text(json.dumps(tree))
    assert read().target.tolist() == [[1, 0], [0, 1]]
    said = "".join(capsys.readouterr())
    assert "2 of 4 annotations are boxes without an outline (segmentation); they mark no" in said
    assert "they mark no pixel: 1, 2" in said
    for item in tree["annotations"]:
        item |= {"segmentation": outline, "bbox": [0, 0, 4, 6]}
    path.write_text(json.dumps(tree))
    with pytest.raises(DataError, match=r"none of the 4 annotations has an outline"):
        read()


@pytest.mark.parametrize("name", ["D:\\x\\train\\{}", "/kaggle/input/train/{}", "train\\{}"])
def test_folders_in_a_file_name_tell_files_of_one_name_apart(workspace: Path, name: str) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": [(2, TOP)]})
    tree = json.loads(path.read_text())
    slash = "/" if "/" in name else "\\"
    for item, folder in zip(tree["images"], "pq", strict=True):
        save(Path("input/train") / folder / "x.jpg", BLACK)
        item["file_name"] = name.format(f"{folder}{slash}x.jpg")
    for left in "ab":
        Path(f"input/train/{left}.jpg").unlink()
    path.write_text(json.dumps(tree))
    found = read()
    assert found.ids == tuple(item["file_name"] for item in tree["images"])
    assert [p.parent.name for p in found.paths] == ["p", "q"]
    assert found.target.tolist() == [[1, 0], [0, 1]]


def test_the_id_of_an_image_is_found_by_the_last_part_of_its_name(workspace: Path) -> None:
    path = lay("test", {"a.jpg": [], "b.jpg": [], "c.jpg": []})
    tree = json.loads(path.read_text())
    names = "x\\a.jpg", "y/a.jpg", "y/b.jpg"
    for item, name, number in zip(tree["images"], names, ("i-0", 1, 2), strict=True):
        item |= {"file_name": name, "id": number}
    path.write_text(json.dumps(tree))
    assert image_ids(path) == {"x\\a.jpg": "i-0", "y/a.jpg": 1, "y/b.jpg": 2, "b.jpg": 2}


def test_the_numbers_of_images_are_found_by_their_names(workspace: Path) -> None:
    path = lay("test", {"a.jpg": [], "b.jpg": []})
    assert image_ids(path) == {"a.jpg": 0, "b.jpg": 1}
    path.write_text('{"a.jpg": 3}')
    assert image_ids(path) == {}


def test_a_category_of_the_background_is_no_class(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay("train", {"a.jpg": [(1, LEFT)], "b.jpg": [(2, TOP)]})
    tree = json.loads(path.read_text())
    names = {category["id"]: category for category in tree["categories"]}
    names[2]["name"] = "background"
    path.write_text(json.dumps(tree))
    index = read()
    assert index.classes == (names[1]["name"],)
    assert not index.masks.read(1).any()
    assert "the category 'background' is no class" in capsys.readouterr().err
