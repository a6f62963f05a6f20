from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from toys import save

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.layouts.layouts import read_index
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import TASKS


def lay(masks: dict[str, Any], images: str = "ab", folder: str = "train_masks") -> None:
    """Images a, b of 8 x 6 pixels, and mask files by their names."""
    for name in images:
        save(Path(f"input/train/{name}.png"), np.zeros((6, 8, 3), np.uint8))
    for name, values in masks.items():
        path = Path("input") / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = values if isinstance(values, np.ndarray) else rows(values)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def rows(values: Any) -> Any:
    """(6, 8) uint8 whose first rows hold the values, the others none."""
    column = [*values, *[0] * (6 - len(values))]
    return np.repeat(np.array(column, np.uint8)[:, None], 8, axis=1)


def read(task: str = "segmentation", **over: Any) -> Any:
    data = DataConfig.model_validate({"root": "input", "layout": "masks", **over})
    return read_index(data, TASKS[task])


def test_values_are_classes_in_their_order(workspace: Path) -> None:
    lay({"a": [3, 7], "b": []})
    index = read()
    assert (index.classes, index.codes) == (("3", "7"), ("3", "7"))
    assert index.target.tolist() == [[1, 1], [0, 0]]
    assert index.masks.read(0)[:3, 0, 0].tolist() == [1, 2, 0]


def test_one_bright_value_is_one_class(workspace: Path) -> None:
    lay({"a": [255], "b": []})
    index = read()
    assert (index.classes, index.codes) == (("object",), ("1",))
    assert index.masks.read(0)[:2, 0, 0].tolist() == [1, 0]


def test_a_mask_that_jpeg_blurred_is_one_class(workspace: Path) -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    lay({"a": np.where(grey < 24, grey, 255 - grey).astype(np.uint8), "b": []})
    index = read(classes=["crack"])
    assert index.classes == ("crack",)
    assert index.masks.read(0).sum() == 24


def test_named_classes_may_miss_in_every_image(workspace: Path) -> None:
    lay({"a": [1], "b": []})
    index = read(classes=["dent", "scratch"])
    assert index.target.sum(axis=0).tolist() == [1, 0]


def test_values_that_are_no_class_are_told_with_their_files(workspace: Path) -> None:
    lay({"a": [1, 9], "b": [2, 77, 255]})
    with pytest.raises(DataError) as caught:
        read(classes=["dent", "scratch"], ignore=255)
    assert "2 masks hold values that are no class" in str(caught.value)
    assert "a.png (9)" in str(caught.value)
    assert "b.png (77)" in str(caught.value)


def test_what_is_not_judged_is_no_class(workspace: Path) -> None:
    lay({"a": [1, 255], "b": [2]})
    index = read(ignore=255)
    assert index.classes == ("1", "2")
    assert index.masks.read(0)[:3, 0, 0].tolist() == [1, IGNORED, 0]


def test_a_folder_a_class_may_miss_files(workspace: Path) -> None:
    lay({"dent/a": [255, 255], "scratch/a": [0, 254], "scratch/b": [200]})
    one, layers = read(), read("multilabel_segmentation")
    assert one.classes == ("dent", "scratch")
    assert one.target.tolist() == [[1, 1], [0, 1]]
    assert one.masks.read(0)[:3, 0, 0].tolist() == [1, 2, 0]
    assert layers.masks.read(0)[:3, 0].tolist() == [[1, 0], [1, 1], [0, 0]]


def test_masks_of_no_image_and_images_of_no_mask_are_told(workspace: Path) -> None:
    lay({"dent/a": [255], "dent/z": [255]})
    with pytest.raises(DataError, match=r"1 masks in \S+ have no image: 'dent/z"):
        read()


def test_all_masks_that_cannot_be_used_are_told_at_once(workspace: Path) -> None:
    lay({"a": np.ones((5, 8), np.uint8), "b": [1], "c": [1]}, "abc")
    Path("input/train_masks/b.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        read()
    assert "b.png: not an image that can be decoded" in str(caught.value)
    Path("input/train_masks/b.png").unlink()
    lay({"b": np.ones((6, 9), np.uint8)}, "abc")
    with pytest.raises(DataError) as caught:
        read()
    message = str(caught.value)
    assert "2 masks cannot be used:" in message
    assert "a.png: the mask is 8 x 5 pixels, the image 8 x 6" in message
    assert "b.png: the mask is 9 x 6 pixels, the image 8 x 6" in message


def test_a_changed_mask_is_looked_at_again(workspace: Path) -> None:
    lay({"a": [1], "b": [2]})
    before = read()
    assert [read().masks.digest(row) for row in range(2)] == [
        before.masks.digest(row) for row in range(2)
    ]
    lay({"b": [2, 1, 2]})
    after = read()
    same = [before.masks.digest(row) == after.masks.digest(row) for row in range(2)]
    assert same == [True, False]
    assert after.target.tolist() == [[1, 0], [1, 1]]


def test_masks_without_anything_teach_nothing(workspace: Path) -> None:
    lay({"a": [], "b": []})
    with pytest.raises(DataError, match="the masks are empty: there is nothing to learn"):
        read()


@pytest.mark.parametrize("classes", [[], ["crack"]])
@pytest.mark.parametrize("values", [[0, 1, 254, 255], [1, 3, 5, 250, 253], [16, 239]])
def test_nearly_black_and_white_is_one_class(
    workspace: Path, values: list[int], classes: list[str]
) -> None:
    lay({"a": values, "b": []})
    index = read(classes=classes)
    assert index.classes == (tuple(classes) or ("object",))
    marked = index.masks.read(0)[: len(values), 0, 0].tolist()
    assert marked == [int(value > 128) for value in values]


def test_numbers_and_white_are_not_guessed(workspace: Path) -> None:
    lay({"a": [1, 2, 255], "b": []})
    with pytest.raises(DataError, match=r"is 255 to be ignored \(data.ignore: 255\), or a class"):
        read()
    assert read(ignore=255).classes == ("1", "2")
    with pytest.raises(DataError, match="values that are no class"):
        read(classes=["crack"])
