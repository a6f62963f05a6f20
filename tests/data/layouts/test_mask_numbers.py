"""Masks whose pixels are numbers or colours of classes, and masks named by an affix."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from toys import save

from comp.config.loading import make_config
from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS

RED, GREEN, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 0)


def lay(masks: dict[str, Any], *, folder: str = "train_masks", form: str = ".png") -> None:
    """Images a, b, ... of 6 x 4 pixels, and masks by their names from the colours of their rows."""
    for name in "abcd"[: len(masks)]:
        save(Path(f"input/train/{name}.png"), np.zeros((4, 6, 3), np.uint8))
    for name, colours in masks.items():
        rows = np.array([*colours, *[BLACK] * (4 - len(colours))], np.uint8)
        path = Path("input") / folder / f"{name}{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.repeat(rows[:, None], 6, axis=1)
        path.write_bytes(cv2.imencode(form, pixels[..., ::-1])[1].tobytes())


def read(**over: Any) -> Any:
    data = DataConfig.model_validate({"root": "input", "layout": "masks", **over})
    return read_index(data, TASKS["segmentation"])


def test_colours_are_refused_with_their_counts_and_the_way_out(workspace: Path) -> None:
    lay({"a": [RED, GREEN, GREEN], "b": [GREEN]})
    with pytest.raises(DataError) as caught:
        read()
    assert "2 of 2 masks hold colours, not the numbers of classes" in str(caught.value)
    assert "#000000 (24 pixels), #00ff00 (18 pixels), #ff0000 (6 pixels)" in str(caught.value)
    assert "data.colours: {a: [0, 255, 0], b: [255, 0, 0]}" in str(caught.value)


@pytest.mark.parametrize("green", [[0, 255, 0], "#00ff00", "00FF00"])
def test_colours_are_classes_by_their_names(workspace: Path, green: Any) -> None:
    lay({"a": [RED, GREEN], "b": [GREEN]})
    index = read(colours={"disc": [255, 0, 0], "cup": green})
    assert (index.classes, index.codes) == (("disc", "cup"), ("1", "2"))
    assert index.target.tolist() == [[1, 1], [0, 1]]
    assert index.masks.read(0)[:, 0, 0].tolist() == [1, 2, 0, 0]
    turned = read(colours={"disc": [255, 0, 0], "cup": green}, classes=["cup", "disc"])
    assert turned.masks.read(0)[:, 0, 0].tolist() == [2, 1, 0, 0]


def test_the_background_may_have_a_colour(workspace: Path) -> None:
    lay({"a": [RED, GREEN, GREEN, GREEN]})
    index = read(colours={"background": [255, 0, 0], "tree": [0, 255, 0]})
    assert index.classes == ("tree",)
    assert index.masks.read(0)[:, 0, 0].tolist() == [0, 1, 1, 1]


def test_a_colour_without_a_name_is_refused_with_its_file(workspace: Path) -> None:
    lay({"a": [RED, GREEN], "b": [(0, 0, 255)]})
    with pytest.raises(DataError) as caught:
        read(colours={"disc": [255, 0, 0]})
    assert "2 masks cannot be used" in str(caught.value)
    assert "a.png: holds colours that data.colours does not name: #00ff00 (6 pixels)" in str(
        caught.value
    )


def test_edges_that_jpeg_leaves_need_a_tolerance(workspace: Path) -> None:
    lay({"a": [RED, RED, GREEN, GREEN]}, form=".jpg")
    with pytest.raises(DataError, match="hold colours, not the numbers"):
        read()
    with pytest.raises(DataError, match="data.colours does not name"):
        read(colours={"disc": [255, 0, 0], "cup": [0, 255, 0]})
    colours = {"disc": [255, 0, 0], "cup": [0, 255, 0]}
    index = read(colours=colours, colour_tolerance=100)
    assert index.masks.read(0)[[0, -1], 0, 0].tolist() == [1, 2]


def test_what_is_proposed_for_colours_of_jpeg_reads_the_masks(workspace: Path) -> None:
    pixels = np.zeros((96, 96, 3), np.uint8)
    pixels[20:60, 20:60] = RED
    pixels[70:90, 10:50] = GREEN
    save(Path("input/train/a.png"), np.zeros_like(pixels))
    path = Path("input/train_masks/a.jpg")
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path, quality=70)
    with pytest.raises(DataError, match="are what JPEG or smooth edges leave of 3: get") as caught:
        read()
    keys = re.search(r"data.colours: ({.*}) and data.colour_tolerance: (\d+)$", str(caught.value))
    assert keys
    index = read(colours=yaml.safe_load(keys[1]), colour_tolerance=int(keys[2]))
    mask = index.masks.read(0)[..., 0]
    assert (mask[40, 40], mask[80, 30], mask[5, 5]) == (1, 2, 0)
    assert (mask == 1).sum() == pytest.approx(1600, rel=0.05)
    assert (mask == 2).sum() == pytest.approx(800, rel=0.05)


def test_a_palette_has_numbers_or_the_colours_that_are_named(workspace: Path) -> None:
    lay({"a": [RED]})
    image = Image.fromarray(np.array([[0] * 6, [1] * 6, [2] * 6, [0] * 6], np.uint8), mode="P")
    image.putpalette([*BLACK, *GREEN, *RED])
    image.save("input/train_masks/a.png")
    assert read().masks.read(0)[:, 0, 0].tolist() == [0, 1, 2, 0]
    index = read(colours={"disc": [255, 0, 0], "cup": [0, 255, 0]})
    assert index.masks.read(0)[:, 0, 0].tolist() == [0, 2, 1, 0]


def test_one_colour_is_one_class_and_is_told(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay({"a": [GREEN], "b": []})
    index = read(classes=["disc"])
    assert index.masks.read(0)[:, 0, 0].tolist() == [1, 0, 0, 0]
    assert "black and #00ff00: that colour is the one class" in capsys.readouterr().err


def test_classes_that_are_not_those_of_the_colours_are_refused(workspace: Path) -> None:
    lay({"a": [RED]})
    with pytest.raises(DataError, match="data.classes: 'cup'; data.colours names 'disc'"):
        read(colours={"disc": [255, 0, 0]}, classes=["cup"])


@pytest.mark.parametrize("colour", [[255, 0], [0, 0, 256], "red", "#ff00"])
def test_what_is_no_colour_is_refused(colour: Any) -> None:
    tree = {"name": "x", "task": "segmentation", "metric": "dice"}
    with pytest.raises(ConfigError, match=r"data\.colours\.disc"):
        make_config({**tree, "data": {"root": "in", "colours": {"disc": colour}}})


@pytest.mark.parametrize("name", ["Background", "bg", "_background_"])
def test_the_background_is_no_class(
    workspace: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lay({"a": [(1, 1, 1), (2, 2, 2)]})
    index = read(classes=[name, "disc", "cup"])
    assert index.classes == ("disc", "cup")
    assert index.masks.read(0)[:, 0, 0].tolist() == [1, 2, 0, 0]
    assert "the background (0) is what no class has" in capsys.readouterr().err
    with pytest.raises(DataError, match="the background has the number 0 and is no class"):
        read(classes=["disc", name])


def test_one_name_more_than_there_are_numbers_is_told(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay({"a": [(1, 1, 1), (2, 2, 2)]})
    assert read(classes=["nothing", "disc", "cup"]).classes == ("nothing", "disc", "cup")
    assert "no mask has 'cup'. If 'nothing' is the background (0)" in capsys.readouterr().err
    read(classes=["disc", "cup"])
    assert "take it out" not in capsys.readouterr().err


def test_a_folder_of_the_background_is_no_class(workspace: Path) -> None:
    white = (255, 255, 255)
    lay({"disc/a": [white], "background/a": [BLACK, white, white, white]})
    Path("input/train/b.png").unlink()
    index = read()
    assert index.classes == ("disc",)
    assert index.masks.read(0)[:, 0, 0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("mark", ["{}_mask", "mask_{}", "{}_seg"])
@pytest.mark.parametrize("folder", ["train", "train_masks"])
def test_masks_may_have_an_affix_and_lie_beside_their_images(
    workspace: Path, mark: str, folder: str
) -> None:
    lay({mark.format(name): [(1, 1, 1)] * n for n, name in enumerate("ab", 1)}, folder=folder)
    index = read(masks=folder)
    assert index.ids == ("a.png", "b.png")
    assert [index.masks.read(row).sum() for row in range(2)] == [6, 12]


def test_images_of_a_channel_number_have_masks_without_it(workspace: Path) -> None:
    lay({"a": [(1, 1, 1)], "b": []})
    for name in "ab":
        path = Path(f"input/train/{name}.png")
        path.rename(path.with_name(f"{name}_0000.png"))
    index = read()
    assert index.ids == ("a_0000.png", "b_0000.png")
    assert index.target.tolist() == [[1], [0]]


def test_a_mask_without_an_image_is_told(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay({"a": [(1, 1, 1)], "z": []})
    Path("input/train/b.png").unlink()
    assert read().ids == ("a.png",)
    assert "1 masks have no image and are left out: 'z.png'" in capsys.readouterr().err
