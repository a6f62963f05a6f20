from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import save, write_csv

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.layouts.layouts import read_index
from comp.data.layouts.test_answers import read_true_masks
from comp.tasks.kinds import TASKS

HEAD = ["ImageId", "EncodedPixels"]


def read(rows: list[list[Any]], task: str = "segmentation", **over: Any) -> Any:
    for name in ("a", "b_1"):
        save(Path(f"input/train/{name}.png"), np.zeros((6, 8, 3), np.uint8))
    write_csv(Path("input/train.csv"), rows)
    plain = {"root": "input", "layout": "rle", "id": "ImageId", **over}
    return read_index(DataConfig.model_validate(plain), TASKS[task])


def corner(index: Any, row: int = 0) -> Any:
    return index.masks.read(row)[0, :4, 0].tolist()


def test_a_row_an_image_is_one_class_and_no_row_is_empty(workspace: Path) -> None:
    index = read([HEAD, ["a.png", "1 12"]])
    assert (index.ids, index.classes) == (("a.png", "b_1.png"), ("object",))
    assert corner(index) == [1, 1, 0, 0]
    assert index.target.tolist() == [[1], [0]]


@pytest.mark.parametrize("empty", ["", "-1", "nan", " "])
def test_an_empty_mask_is_written_in_several_ways(workspace: Path, empty: str) -> None:
    index = read([HEAD, ["a.png", "1 6"], ["b_1.png", empty]])
    assert index.target.tolist() == [[1], [0]]


def test_image_and_class_may_be_joined(workspace: Path) -> None:
    rows = [["ImageId", "EncodedPixels"], ["a_2", "7 6"], ["a_10", "1 6"], ["b_1_2", ""]]
    index = read(rows)
    assert index.classes == ("2", "10")
    assert corner(index) == [2, 1, 0, 0]


def test_a_column_may_name_the_class(workspace: Path) -> None:
    rows = [["ImageId", "EncodedPixels", "kind"], ["a", "1 12", "dent"], ["a", "7 6", "scratch"]]
    over: dict[str, Any] = {"target": ["EncodedPixels"], "rle_class": "kind"}
    index = read(rows, **over)
    assert corner(index) == [1, 2, 0, 0]
    layers = read(rows, "multilabel_segmentation", **over).masks.read(0)
    assert layers[0, :3].tolist() == [[1, 0], [1, 1], [0, 0]]


def test_a_class_may_have_a_column(workspace: Path) -> None:
    rows = [["ImageId", "dent", "scratch"], ["a", "1 6", "7 6"], ["b_1", "", ""]]
    assert corner(read(rows, target=["dent", "scratch"])) == [1, 2, 0, 0]


def test_runs_may_go_along_the_rows(workspace: Path) -> None:
    assert corner(read([HEAD, ["a.png", "1 3"]], rle_order="rows")) == [1, 1, 1, 0]


def test_every_wrong_text_is_told_with_its_line(workspace: Path) -> None:
    with pytest.raises(DataError) as caught:
        read([HEAD, ["a.png", "1 6 9"], ["b_1.png", "40 10"]])
    message = str(caught.value)
    assert "line 2: run lengths are pairs, these are 3 numbers: '1 6 9'" in message
    assert "line 3: a run ends at pixel 49 of an image of 48: '40 10'" in message


def test_rows_twice_and_images_that_are_not_there_are_told(workspace: Path) -> None:
    with pytest.raises(DataError) as caught:
        read([HEAD, ["a.png", "1 6"], ["a.png", "1 6"], ["c.png", "1 1"]], group="car")
    message = str(caught.value)
    assert "1 rows are there twice: 'a.png (lines 2 and 3)'" in message
    assert "'c.png'" in message
    assert "data.group: not for this layout; use auto, or null" in message


def test_true_masks_are_read_like_the_training_ones(workspace: Path) -> None:
    read([HEAD, ["a.png", "1 6"]])
    save(Path("input/test/t.png"), np.zeros((6, 8, 3), np.uint8))
    write_csv(Path("input/answers.csv"), [HEAD, ["t.png", "1 9"]])
    data = DataConfig(root="input", layout="rle", id="ImageId", test_answers="answers.csv")
    masks = read_true_masks(data, TASKS["segmentation"], ("object",), ["t.png"])
    assert masks is not None
    assert masks.read(0).sum() == 9


def test_objects_of_a_class_may_have_a_row_each(workspace: Path) -> None:
    index = read([HEAD, ["a", "1 6"], ["a", "13 6"], ["b_1", ""]])
    assert index.masks.read(0)[0, :4, 0].tolist() == [1, 0, 1, 0]
    assert index.masks.objects(0).tolist() == [2]


def test_names_of_columns_are_not_paired_with_other_names(workspace: Path) -> None:
    rows = [["ImageId", "wall", "door"], ["a", "1 6", ""], ["b_1", "", "1 6"]]
    index = read(rows, target=["wall", "door"])
    assert (index.classes, index.target.tolist()) == (("wall", "door"), [[1, 0], [0, 1]])
    turned = read(rows, target=["wall", "door"], classes=["door", "wall"])
    assert (turned.classes, turned.target.tolist()) == (("door", "wall"), [[0, 1], [1, 0]])
    with pytest.raises(DataError, match="'Wall', 'Door'; the table has the classes 'wall', 'door'"):
        read(rows, target=["wall", "door"], classes=["Wall", "Door"])


def test_numbers_are_named_in_their_order_and_the_pairs_are_told(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["ImageId", "EncodedPixels"], ["a_2", "7 6"], ["a_10", "1 6"]]
    assert read(rows, classes=["dent", "scratch"]).codes == ("2", "10")
    assert "2 dent, 10 scratch" in "".join(capsys.readouterr())


def test_answers_may_lack_a_class_but_know_no_other(workspace: Path) -> None:
    for name in ("t", "u"):
        save(Path(f"input/test/{name}.png"), np.zeros((6, 8, 3), np.uint8))
    data = DataConfig.model_validate(
        {"root": "input", "layout": "rle", "id": "ImageId", "test_answers": "true.csv"}
    )
    given = data, TASKS["segmentation"], ("dent", "scratch"), ["t.png", "u.png"], ("1", "2")
    write_csv(Path("input/true.csv"), [HEAD, ["t_2", "1 6"], ["u_2", ""]])
    masks = read_true_masks(*given)
    assert masks is not None
    assert masks.read(0)[0, :2, 0].tolist() == [2, 0]
    write_csv(Path("input/true.csv"), [HEAD, ["t_3", "1 6"], ["u_2", ""]])
    with pytest.raises(DataError, match="classes that are unknown: '3'; known: '1', '2'"):
        read_true_masks(*given)


def test_rows_twice_are_told_where_classes_have_columns(workspace: Path) -> None:
    rows = [["ImageId", "dent", "scratch"], ["a", "1 6", "7 6"], ["b_1", "", ""], ["a", "", "1 6"]]
    with pytest.raises(
        DataError, match="1 images and classes have several rows: 'a on lines 2 and 4'"
    ):
        read(rows, target=["dent", "scratch"])
