"""JPEG and PNG files without their end."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.decode import decode_image
from comp.data.images.endings import mended_png

NOISE = np.random.default_rng(0).integers(0, 256, (41, 67, 3), dtype=np.uint8)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


JPEGS = {
    "plain": encoded("JPEG", quality=90),
    "grey": encoded("JPEG", "L"),
    "cmyk": encoded("JPEG", "CMYK"),
    "progressive": encoded("JPEG", progressive=True),
    "restarts": encoded("JPEG", restart_marker_blocks=3),
}


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_without_its_end_marker_is_whole(kind: str) -> None:
    whole = JPEGS[kind]
    assert whole.endswith(b"\xff\xd9")
    expected = decode_image(whole)
    for end in (2, 1):
        np.testing.assert_array_equal(decode_image(whole[:-end]), expected)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("cut", [6, 12, 40, 400])
def test_a_jpeg_that_lacks_pixels_is_truncated(kind: str, cut: int) -> None:
    with pytest.raises(DataError, match="a truncated JPEG"):
        decode_image(JPEGS[kind][:-cut])


def test_a_progressive_jpeg_cut_between_its_scans_is_truncated() -> None:
    whole = JPEGS["progressive"]
    scans = [place for place in range(len(whole) - 1) if whole[place : place + 2] == b"\xff\xda"]
    tables = whole.rfind(b"\xff\xc4", 0, scans[-1])
    for place in (scans[1], scans[-1], tables):
        with pytest.raises(DataError, match="a truncated JPEG"):
            decode_image(whole[:place])


@pytest.mark.parametrize(
    ("mode", "options"), [("RGB", {}), ("RGBA", {}), ("L", {}), ("1", {}), ("P", {}), ("I;16", {})]
)
@pytest.mark.parametrize("cut", [12, 8, 4, 14])
def test_a_png_without_its_end_is_whole(mode: str, options: dict[str, Any], cut: int) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(NOISE)
    if mode == "I;16":
        image = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    image.save(stream, "PNG", **options)
    whole = stream.getvalue()
    np.testing.assert_array_equal(decode_image(whole[:-cut]), decode_image(whole))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_png_that_lacks_rows_is_refused(mode: str) -> None:
    whole = encoded("PNG", mode)
    for cut in (60, len(whole) // 2):
        with pytest.raises(DataError, match=r"truncated|cannot be decoded"):
            decode_image(whole[:-cut])


def test_other_content_is_left_as_it_is(tmp_path: Path) -> None:
    whole = encoded("PNG")
    behind = whole + struct.pack(">I", 5) * 40
    for content in (whole, behind, JPEGS["plain"], b"", b"\x89PNG\r\n\x1a\n"):
        assert mended_png(content) is content or content == b"\x89PNG\r\n\x1a\n"
