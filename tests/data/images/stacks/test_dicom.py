"""DICOM: pixels in their units, windows, and nothing about a patient."""

import numpy as np
import pytest
from stack_toys import PRIVATE, dicom

from comp.core.errors import DataError
from comp.data.images.stacks.dicom import dicom_size, is_dicom, read_dicom

STORED = np.random.default_rng(0).integers(0, 4096, (12, 10), dtype=np.uint16)


@pytest.mark.parametrize("packed", [False, True])
def test_values_are_in_the_units_of_the_device(packed: bool) -> None:
    content = dicom(STORED, RescaleSlope="1", RescaleIntercept="-1024", packed=packed)
    stack = read_dicom(content)
    np.testing.assert_array_equal(stack.planes[..., 0], STORED.astype(int) - 1024)
    assert stack.planes.dtype == np.int32
    assert is_dicom(content)
    assert dicom_size(content) == (12, 10)


def test_a_slope_that_is_no_whole_number_gives_floats() -> None:
    stack = read_dicom(dicom(STORED, RescaleSlope="0.25", RescaleIntercept="1.5"))
    np.testing.assert_allclose(stack.planes[..., 0], STORED * 0.25 + 1.5)
    assert stack.planes.dtype == np.float32


def test_signed_numbers_are_read() -> None:
    signed = STORED.astype(np.int16) - 2000
    np.testing.assert_array_equal(read_dicom(dicom(signed)).planes[..., 0], signed)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # DICOM PS3.3 C.11.2.1.2.1 and C.11.2.1.3
        ("LINEAR", [0, 0, (40 - 39.5) / 79 + 0.5, 1]),
        ("LINEAR_EXACT", [0, 0, 0.5, 1]),
        ("SIGMOID", [1 / (1 + np.exp(52)), 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-48))]),
    ],
)
def test_the_first_window_of_a_file_is_what_it_shows(how: str, expected: list[float]) -> None:
    values = np.array([[-1000, 0, 40, 1000]], np.int16)
    stack = read_dicom(
        dicom(values, WindowCenter=["40", "300"], WindowWidth=["80", "9"], VOILUTFunction=how)
    )
    assert stack.window is not None
    np.testing.assert_allclose(stack.window(stack.planes)[0, :, 0], expected, atol=1e-6)


def test_without_a_window_none_is_made_up() -> None:
    assert read_dicom(dicom(STORED)).window is None


def test_white_may_be_the_lowest_value() -> None:
    assert read_dicom(dicom(STORED, PhotometricInterpretation="MONOCHROME1")).inverted
    assert not read_dicom(dicom(STORED)).inverted


def test_frames_and_colours_are_planes() -> None:
    frames = np.stack([STORED, STORED + 1, STORED + 2, STORED + 3])
    np.testing.assert_array_equal(read_dicom(dicom(frames)).planes, np.moveaxis(frames, 0, 2))
    colours = np.random.default_rng(1).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    stack = read_dicom(dicom(colours))
    np.testing.assert_array_equal(stack.planes, colours)
    assert stack.colours


def test_what_is_told_of_a_file_is_never_private() -> None:
    stack = read_dicom(dicom(STORED, BitsStored=12, HighBit=11))
    assert (stack.kind, stack.mode) == ("DICOM", "MONOCHROME2, 12 bits, 1 frames")


@pytest.mark.parametrize("cut", [0.6, 0.9])
def test_an_error_about_a_damaged_file_quotes_nothing_of_it(cut: float) -> None:
    content = dicom(STORED)
    with pytest.raises(DataError, match=r"damaged DICOM|cannot be decoded|without an image") as got:
        read_dicom(content[: int(cut * len(content))])
    texts = [str(got.value), str(got.value.__cause__), str(got.value.__context__ or "")]
    assert not any(value in texts[0] for value in PRIVATE.values())


def test_a_file_without_pixels_is_an_error() -> None:
    content = dicom(STORED)
    header = content[: content.index(b"\x28\x00\x02\x00")]
    with pytest.raises(DataError, match=r"without an image: it has no Rows"):
        read_dicom(header)
