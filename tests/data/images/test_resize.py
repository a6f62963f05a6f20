from __future__ import annotations

import cv2
import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.data.images.resize import OWN_SIZE, RESIZES, fit, fit_mask
from comp.tasks.counts import IGNORED

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    down, right = np.mgrid[0:height, 0:width]
    channels = [
        down * 255 // height,
        right * 255 // width,
        (down + right) * 255 // (height + width),
    ]
    return np.stack(channels, axis=2).astype(np.uint8)


@pytest.mark.parametrize("resize", [name for name in RESIZES if name not in OWN_SIZE])
@pytest.mark.parametrize("shape", [(1, 1), (8, 20000), (20000, 8), (5, 7), (40, 30), (16, 16)])
def test_any_image_fits_a_square(resize: str, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(fit(image, 16, resize), np.full((16, 16, 3), 77, dtype=np.uint8))


@pytest.mark.parametrize("resize", [name for name in RESIZES if name not in OWN_SIZE])
def test_an_image_of_the_right_size_is_not_touched(resize: str) -> None:
    image = smooth(12, 12)
    np.testing.assert_array_equal(fit(image, 12, resize), image)


def test_stretch_averages_where_it_shrinks() -> None:
    image = np.zeros((16, 64, 3), dtype=np.uint8)
    image[:, ::4] = 200  # of each four columns, interpolation would see the middle two
    np.testing.assert_array_equal(fit(image, 16, "stretch"), np.full((16, 16, 3), 50))


def test_stretch_averages_one_axis_and_grows_the_other() -> None:
    image = np.zeros((2, 64, 3), dtype=np.uint8)
    image[:, ::4] = 200
    np.testing.assert_array_equal(fit(image, 16, "stretch"), np.full((16, 16, 3), 50))


def test_pad_centres_the_whole_image_in_its_mirror_image() -> None:
    image = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[:, None, None], 4, axis=1)
    image = np.repeat(image, 3, axis=2).transpose(1, 0, 2)  # 4 x 8, rising to the right
    image[1] += 100
    found = fit(image, 8, "pad")[:, :, 0]
    np.testing.assert_array_equal(found[2:6], image[:, :, 0])
    np.testing.assert_array_equal(found[:2], image[[2, 1], :, 0])
    np.testing.assert_array_equal(found[6:], image[[2, 1], :, 0])


def test_crop_keeps_the_centre() -> None:
    image = smooth(12, 20)
    np.testing.assert_array_equal(fit(image, 12, "crop"), image[:, 4:16])


def test_an_unknown_resize_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'strech'.*stretch, pad, crop.*Did you mean 'stretch'"):
        fit(RGB, 8, "strech")


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize(("height", "width"), [(48, 96), (96, 48), (31, 67)])
def test_a_mask_is_fitted_as_its_image(resize: str, height: int, width: int) -> None:
    mask = np.zeros((height, width, 2), np.uint8)
    mask[height // 4 : height // 2, width // 3 : 2 * width // 3] = 1
    mask[: height // 8, :, 1] = IGNORED
    image = np.repeat(255 * (mask[..., :1] == 1), 3, axis=2).astype(np.uint8)
    seen = fit(image, 32, resize)[..., 0] > 127
    moved = fit_mask(mask, 32, resize)
    assert moved.shape == (32, 32, 2)
    assert set(np.unique(moved)) <= {0, 1, IGNORED}
    edges = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    assert ((moved[..., 0] == 1) == seen)[~edges].all()
    assert seen.any()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 4, 5, 16])
@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_each_channel_is_resized_as_if_it_were_alone(
    resize: str, channels: int, kind: type
) -> None:
    draw = np.random.default_rng(0)
    image = draw.integers(0, np.iinfo(kind).max, (30, 44, channels)).astype(kind)
    for size in (16, 64):
        found = fit(image, size, resize)
        assert (found.shape, found.dtype) == ((size, size, channels), image.dtype)
        for place in range(channels):
            alone = fit(np.repeat(image[..., place : place + 1], 3, axis=2), size, resize)
            apart = found[..., place].astype(int) - alone[..., 0]
            assert np.abs(apart).max() <= 1  # OpenCV rounds by the number of channels
