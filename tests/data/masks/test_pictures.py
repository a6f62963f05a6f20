"""The pixels of mask files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from comp.core.errors import DataError
from comp.data.masks.pictures import numbers_of, read_bright, read_grey, read_mask_file

RED, GREEN = (255, 0, 0), (0, 255, 0)


def laid(pixels: Any, name: str = "m.png") -> Path:
    path = Path(name)
    path.write_bytes(cv2.imencode(".png", np.asarray(pixels))[1].tobytes())
    return path


def saved(pixels: Any, mode: str | None = None) -> Path:
    Image.fromarray(np.asarray(pixels, np.uint8), mode=mode).save("m.png")
    return Path("m.png")


def test_ones_may_mean_marked(workspace: Path) -> None:
    assert read_bright(laid(np.array([[0, 1]], np.uint8))).tolist() == [[False, True]]
    assert read_bright(laid(np.array([[0, 1, 254]], np.uint8))).tolist() == [[False, False, True]]


@pytest.mark.parametrize("colour", [RED, GREEN, (0, 0, 255), (255, 255, 255)])
def test_one_class_may_be_marked_in_any_bright_colour(
    workspace: Path, colour: tuple[int, int, int]
) -> None:
    assert read_bright(saved([[(0, 0, 0), colour]])).tolist() == [[False, True]]


def test_the_numbers_of_a_palette_are_its_indices_or_its_colours(workspace: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode="P")
    image.putpalette([0, 0, 0, *RED, *GREEN])
    image.save("p.png")
    assert read_grey(Path("p.png")).tolist() == [[0, 1], [2, 1]]
    colours = read_mask_file(Path("p.png"), palette=True)
    assert colours[:, 0].tolist() == [[0, 0, 0], [*GREEN]]


def test_sixteen_bits_may_hold_small_numbers_only(workspace: Path) -> None:
    assert read_grey(laid(np.array([[0, 3]], np.uint16))).tolist() == [[0, 3]]
    with pytest.raises(DataError, match=r"m\.png: holds 300; the numbers of a mask are 0 to 255"):
        read_grey(laid(np.array([[0, 300]], np.uint16)))


def test_a_torn_mask_is_told_by_its_name(workspace: Path) -> None:
    path = laid(np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"m\.png: cannot be decoded"):
        read_grey(path)


def test_an_array_is_a_mask(workspace: Path) -> None:
    np.save("m.npy", np.array([[0, 2]], np.int64))
    assert read_grey(Path("m.npy")).tolist() == [[0, 2]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_three_equal_channels_are_numbers(workspace: Path, mode: str) -> None:
    Image.fromarray(np.array([[0, 3]], np.uint8)).convert(mode).save("m.png")
    assert read_grey(Path("m.png")).tolist() == [[0, 3]]


def test_colours_are_no_numbers(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"holds colours.*#ff0000 \(2 pixels\), #00ff00 \(1 pixels"):
        read_grey(saved([[RED, RED, GREEN]]))


def test_transparent_pixels_of_a_colour_mask_are_black(workspace: Path) -> None:
    found = read_mask_file(saved([[(*RED, 255), (*GREEN, 0)]]))
    assert found.tolist() == [[[*RED], [0, 0, 0]]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_of_a_grey_mask_are_black(workspace: Path, mode: str) -> None:
    image = Image.new(mode, (2, 1), 255 if mode == "LA" else "white")
    image.putalpha(Image.fromarray(np.array([[0, 255]], np.uint8)))
    image.save("m.png")
    assert read_grey(Path("m.png")).tolist() == [[0, 255]]
    Image.fromarray(np.array([[(3, 0), (0, 0)]], np.uint8), "LA").save("m.png")
    assert read_grey(Path("m.png")).tolist() == [[3, 0]]  # transparent everywhere


def test_black_and_white_of_16_bits_is_that_of_8(workspace: Path) -> None:
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save("m.png")
    assert read_grey(Path("m.png")).tolist() == [[0, 255]]
    Image.fromarray(np.array([[0, 65535, 300]], np.uint16)).save("m.png")
    with pytest.raises(DataError, match="holds 65535; the numbers of a mask are 0 to 255"):
        read_grey(Path("m.png"))


def test_the_nearest_colour_in_reach_is_taken() -> None:
    pixels = np.array([[(250, 0, 0), (120, 120, 0), (0, 0, 0), (9, 0, 0)]], np.uint8)
    colours = ((RED, 1), (GREEN, 2), ((0, 0, 0), 0))
    numbers, strange = numbers_of(pixels, colours, 10)
    assert numbers[0, [0, 2, 3]].tolist() == [1, 0, 0]
    assert strange.tolist() == [[120, 120, 0]]
    assert numbers_of(pixels, colours, 0)[1].tolist() == [[250, 0, 0], [120, 120, 0], [9, 0, 0]]
