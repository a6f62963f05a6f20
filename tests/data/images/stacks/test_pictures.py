"""Pictures with the channels that they have."""

import cv2
import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.images.stacks.pictures import read_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def test_grey_and_colours_have_their_own_number_of_planes() -> None:
    grey, colours = read_picture(png(RGB[..., 0])), read_picture(png(RGB[..., ::-1]))
    np.testing.assert_array_equal(grey.planes[..., 0], RGB[..., 0])
    np.testing.assert_array_equal(colours.planes, RGB)
    assert (grey.colours, colours.colours, colours.mode) == (False, True, "RGB")


def test_alpha_is_a_plane_of_its_own() -> None:
    alpha = np.dstack([RGB[..., ::-1], RGB[..., :1]])
    stack = read_picture(png(alpha))
    np.testing.assert_array_equal(stack.planes, np.dstack([RGB, RGB[..., :1]]))
    assert stack.alpha


def test_deep_pictures_keep_their_numbers() -> None:
    deep = RGB[..., 0].astype(np.uint16) * 200
    stack = read_picture(png(deep))
    np.testing.assert_array_equal(stack.planes[..., 0], deep)
    assert stack.planes.dtype == np.uint16


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(DataError, match="an empty file"):
        read_picture(b"")
    with pytest.raises(DataError, match="not an image"):
        read_picture(b"no picture at all")
