"""From files to pixels of any number of channels."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from stack_toys import dicom, nifti, npy, tiff

from comp.core.errors import DataError
from comp.data.images.deep import Outside
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import develop, picture_of, read_picture_of, read_pixels
from comp.data.index.sources import Source

DRAW = np.random.default_rng(0)
DEEP = DRAW.integers(0, 4096, (12, 20, 5), dtype=np.uint16)
RGB = DRAW.integers(0, 256, (12, 20, 3), dtype=np.uint8)
FIVE = PixelForm(5, 16, (0.0, 4095.0))


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "content",
    [npy(DEEP), npy(np.moveaxis(DEEP, 2, 0)), tiff(np.moveaxis(DEEP, 2, 0))],
    ids=["array", "first", "tiff"],
)
def test_five_channels_of_twelve_bits_fill_the_range(content: bytes, bits: int) -> None:
    found = develop([content], PixelForm(5, bits, (0.0, 4095.0)))
    assert found.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_array_equal(found, DEEP >> 4 if bits == 8 else DEEP << 4)


def test_several_files_are_one_image_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(png(DEEP[..., number]))
    source = Source(tuple(paths), (None,) * 5)
    np.testing.assert_array_equal(read_pixels(source, FIVE), DEEP << 4)
    turned = read_pixels(Source(tuple(paths[::-1]), (None,) * 5), FIVE)
    np.testing.assert_array_equal(turned, DEEP[..., ::-1] << 4)
    paths[1].write_bytes(png(DEEP[:6, :, 1]))
    with pytest.raises(DataError, match=r"0\.png, .*of several sizes: 20 x 6 and 20 x 12"):
        read_pixels(source, FIVE)


def test_files_of_8_bits_fill_16() -> None:
    found = develop([png(RGB[..., n]) for n in range(3)], PixelForm(3, 16))
    np.testing.assert_array_equal(found, RGB.astype(np.uint16) * 257)


def test_one_channel_of_a_picture_is_its_grey() -> None:
    grey = develop([png(RGB[..., ::-1])], PixelForm(1))
    np.testing.assert_array_equal(grey[..., 0], cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY))
    equal = develop([png(np.repeat(RGB[..., :1], 3, axis=2))], PixelForm(1))
    np.testing.assert_array_equal(equal, RGB[..., :1])


def test_one_channel_of_several_files_must_be_grey() -> None:
    with pytest.raises(DataError, match="a picture in colours, of which one channel is asked for"):
        develop([png(RGB), png(RGB)], PixelForm(2))


def test_alpha_is_a_channel_only_where_it_is_asked_for() -> None:
    clear = np.dstack([RGB[..., ::-1], np.full((12, 20), 255, np.uint8)])
    clear[:6, :, 3] = 0
    np.testing.assert_array_equal(develop([png(clear)], PixelForm(4))[..., :3], RGB)
    white = develop([png(clear)], PixelForm(3, 16))
    assert (white[:6] == 65535).all()
    np.testing.assert_array_equal(white[6:], RGB[6:].astype(np.uint16) * 257)


@pytest.mark.parametrize(("channels", "count"), [(4, 5), (6, 5), (3, 5)])
def test_another_number_of_channels_is_an_error(channels: int, count: int) -> None:
    text = rf"TIFF of {count} channels \(20 x 12, uint16\); image.channels asks for {channels}"
    with pytest.raises(DataError, match=text):
        develop([tiff(np.moveaxis(DEEP, 2, 0))], PixelForm(channels, 16, (0.0, 4095.0)))


@pytest.mark.parametrize(("slices", "places"), [("spread", [2, 7, 12]), ("middle", [6, 7, 8])])
def test_some_slices_of_a_volume_may_be_taken(slices: str, places: list[int]) -> None:
    volume = DRAW.integers(0, 200, (20, 12, 15), dtype=np.int16)
    found = develop([nifti(volume)], PixelForm(3, 16, (0.0, 65535.0), slices=slices))
    np.testing.assert_array_equal(found, np.transpose(volume, (1, 0, 2))[..., places])
    with pytest.raises(DataError, match="NIfTI of 15 channels.*image.slices"):
        develop([nifti(volume)], PixelForm(3))


@pytest.mark.parametrize(("number", "places"), [(0, [0, 0, 1]), (7, [6, 7, 8]), (14, [13, 14, 14])])
def test_a_slice_comes_with_its_neighbours(number: int, places: list[int]) -> None:
    volume = DRAW.integers(0, 200, (20, 12, 15), dtype=np.int16)
    found = develop([nifti(volume)], PixelForm(3, 16, (0.0, 65535.0)), [number])
    np.testing.assert_array_equal(found, np.transpose(volume, (1, 0, 2))[..., places])
    with pytest.raises(DataError, match="it has 15 slices, 0 to 14; slice 15 is asked for"):
        develop([nifti(volume)], PixelForm(3), [15])


def test_windows_are_channels() -> None:
    values = np.array([[-1000, 0, 40, 80, 600, 2000]], np.int16)
    form = PixelForm(2, 8, None, ((40.0, 80.0), (600.0, 2800.0)))
    found = develop([dicom(values)], form)
    np.testing.assert_array_equal(found[0, :, 0], [0, 0, 128, 255, 255, 255])
    np.testing.assert_array_equal(found[0, :, 1], [0, 73, 76, 80, 128, 255])


def test_the_window_of_a_file_is_used_where_it_is_asked_for() -> None:
    values = np.array([[0, 100, 300]], np.int16)
    shown = {"WindowCenter": "100", "WindowWidth": "200", "VOILUTFunction": "LINEAR_EXACT"}
    form = PixelForm(1, 8, None, "file")
    assert develop([dicom(values, **shown)], form)[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(DataError, match="DICOM that states no window"):
        develop([dicom(values)], form)


@pytest.mark.parametrize("windows", [None, ((50.0, 100.0),)])
def test_monochrome1_is_inverted_in_the_same_way_for_every_image(windows: Any) -> None:
    values = np.array([[0, 25, 100]], np.uint16)
    form = PixelForm(1, 16, None if windows else (0.0, 100.0), windows)
    plain = develop([dicom(values)], form).astype(int)
    other = develop([dicom(values, PhotometricInterpretation="MONOCHROME1")], form)
    np.testing.assert_array_equal(other, 65535 - plain)


def test_dicom_is_rgb_for_a_usual_config() -> None:
    found = develop([dicom(DEEP[..., 0])], PixelForm(span=(0.0, 4095.0)))
    np.testing.assert_array_equal(found, np.repeat(DEEP[..., :1] >> 4, 3, axis=2))


def test_each_channel_may_have_its_own_range() -> None:
    values = np.array([[[0.0, -30.0]], [[1.0, 0.0]], [[2.0, -15.0]]], np.float32)
    form = PixelForm(2, 8, ((0.0, 2.0), (-30.0, 0.0)))
    assert develop([npy(values)], form).tolist() == [[[0, 0]], [[128, 255]], [[255, 128]]]


def test_values_outside_of_the_range_are_counted_once_per_image() -> None:
    outside = Outside()
    inside, beyond = DEEP, DEEP.copy()
    beyond[0, 0] = 5000
    for pixels in (inside, beyond):
        develop([npy(pixels)], FIVE, outside=outside)
    develop([npy(beyond[..., :3])], PixelForm(span=(0.0, 4095.0)), outside=outside)
    assert (outside.images, outside.high) == (2, 5000)


def test_floats_that_are_not_finite_are_an_error() -> None:
    broken = np.full((8, 9, 5), np.nan, np.float32)
    with pytest.raises(DataError, match="floating point"):
        develop([npy(broken)], FIVE)
    with pytest.raises(DataError, match="not finite"):
        develop([npy(broken)], PixelForm(5, 16, None, ((1.0, 2.0),)))


@pytest.mark.parametrize(("channels", "shown"), [(1, [0, 0, 0]), (2, [0, 1, 1]), (5, [0, 1, 2])])
def test_a_picture_shows_the_first_channels(
    tmp_path: Path, channels: int, shown: list[int]
) -> None:
    pixels = DEEP[..., :channels] << 4
    np.testing.assert_array_equal(picture_of(pixels), (DEEP >> 4)[..., shown])
    (tmp_path / "a.npy").write_bytes(npy(DEEP[..., :channels]))
    form = PixelForm(channels, 16, (0.0, 4095.0))
    found = read_picture_of(Source.of(tmp_path / "a.npy"), form)
    np.testing.assert_array_equal(found, (DEEP >> 4)[..., shown])
