"""Pixels of more than 8 bits, and arrays."""

import io
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.decode import decode_image
from comp.data.images.deep import read_array, to_8_bits
from comp.data.images.header import image_size

DEEP = np.random.default_rng(0).integers(0, 4096, (6, 8, 3), dtype=np.uint16)
HIGH = (DEEP >> 4).astype(np.uint8)


def stored(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def zipped(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_a_range_of_whole_bits_shifts_them(kind: str, bits: int) -> None:
    deep = np.random.default_rng(1).integers(0, 1 << bits, (6, 8, 3), dtype=np.uint16)
    expected = (deep >> (bits - 8)).astype(np.uint8)
    span = (0, (1 << bits) - 1)
    colour, grey = (cv2.imencode(kind, d)[1].tobytes() for d in (deep[..., ::-1], deep[..., 0]))
    np.testing.assert_array_equal(decode_image(colour, span), expected)
    np.testing.assert_array_equal(decode_image(grey, span), np.repeat(expected[..., :1], 3, axis=2))


@pytest.mark.parametrize("content", [stored(DEEP), zipped(image=DEEP)], ids=["npy", "npz"])
def test_an_array_of_16_bits_has_a_range_too(content: bytes) -> None:
    np.testing.assert_array_equal(decode_image(content, (0, 4095)), HIGH)


def test_a_range_leaves_8_bits_as_they_are() -> None:
    content = cv2.imencode(".png", HIGH)[1].tobytes()
    np.testing.assert_array_equal(decode_image(content, (0, 4095)), HIGH[..., ::-1])


def test_what_lies_outside_of_the_range_is_black_or_white() -> None:
    found = to_8_bits(np.array([[-7, 100, 101, 199, 200, 9999]]), (100, 199))
    assert found.tolist() == [[0, 0, 2, 253, 255, 255]]


def test_deep_alpha_lies_on_white() -> None:
    pixels = np.dstack([DEEP[..., ::-1] << 4, np.zeros((6, 8), np.uint16)])
    pixels[0, :, 3] = 0xFFFF
    found = decode_image(cv2.imencode(".png", pixels)[1].tobytes())
    np.testing.assert_array_equal(found[0], HIGH[0])
    assert (found[1:] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3)])
def test_deep_images_are_turned_by_exif(orientation: int, shape: tuple[int, ...]) -> None:
    flat = Image.fromarray(HIGH if len(shape) == 3 else HIGH[..., 0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    flat.save(stream, "PNG", exif=exif)
    expected = decode_image(stream.getvalue())
    deep = DEEP if len(shape) == 3 else DEEP[..., :1]
    content = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    chunk = stream.getvalue()
    start = chunk.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(chunk[start : start + 4], "big")
    turned = content[:33] + chunk[start:end] + content[33:]
    np.testing.assert_array_equal(decode_image(turned, (0, 4095)), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_need_a_range(dtype: Any) -> None:
    content = stored(np.array([[0, 0.5, 1]], dtype))
    with pytest.raises(DataError, match=r"floating point \(0\.\.1\).*image\.range: \[0, 1\]"):
        decode_image(content)
    assert decode_image(content, (0, 1))[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(DataError, match="floating point"):
        decode_image(stored(np.array([[0, np.nan]], dtype)), (0, 1))


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (HIGH, HIGH),
        (HIGH[..., 0], np.repeat(HIGH[..., :1], 3, axis=2)),
        (HIGH[..., :1], np.repeat(HIGH[..., :1], 3, axis=2)),
        (np.asfortranarray(HIGH), HIGH),
    ],
)
def test_an_array_of_8_bits_is_the_image(tmp_path: Path, array: Any, shown: Any) -> None:
    np.testing.assert_array_equal(decode_image(stored(array)), shown)
    (tmp_path / "a.npy").write_bytes(stored(array))
    assert image_size(tmp_path / "a.npy") == (6, 8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (stored(HIGH.transpose(2, 0, 1)), r"uint8, shape \(3, 6, 8\).*np.transpose\(a, \(1, 2, 0"),
        (stored(np.zeros((6, 8, 4), np.uint8)), r"uint8, shape \(6, 8, 4\)"),
        (stored(np.zeros(8, np.uint8)), r"uint8, shape \(8,\)"),
        (stored(np.zeros((0, 8), np.uint8)), r"uint8, shape \(0, 8\)"),
        (stored(np.zeros((6, 8), bool)), "an array of bool"),
        (stored(np.zeros((6, 8), complex)), "an array of complex128"),
        (stored(np.array([[None]]), allow_pickle=True), "cannot be read.*pickle"),
        (stored(HIGH)[:-9], "an array that cannot be read"),
        (zipped(a=HIGH, b=HIGH), r"holds 'a.npy', 'b.npy'; one array is an image"),
        (b"PK\x03\x04 torn", "an array that cannot be read"),
    ],
)
def test_what_cannot_be_an_image_is_told_with_its_form(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        decode_image(content)


def test_a_zip_of_other_files_is_named() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(DataError, match=r"an archive that holds 'a\.txt'"):
        read_array(stream.getvalue())
