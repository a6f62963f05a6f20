"""Reading an image file as upright RGB, whatever its format.

OpenCV decodes the usual files. What it gets wrong or does not know (it drops transparency, for one)
is decoded by Pillow. The header is read first: for the size that it declares, and for the end of a
JPEG, because OpenCV 4 returns the half that is there of a truncated one.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError, unreadable
from comp.data.images.deep import (
    Outside,
    Span,
    deep_pixels,
    has_deep_channels,
    is_array,
    read_array,
    to_8_bits,
)
from comp.data.images.endings import BEGIN, END_OF_JPEG, FRAMES, SCAN, mended_jpeg, mended_png
from comp.data.images.limits import refuse_bomb

Pixels = np.ndarray[Any, Any]

# The limit of `refuse_bomb` replaces Pillow's own, which warns at 89 megapixels and refuses at 179.
Image.MAX_IMAGE_PIXELS = None

# Damaged files raise our errors; OpenCV's own warnings would break the progress bars.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

# What OpenCV decodes as Pillow would, the orientation in the EXIF data included.
_OPENCV = {
    "PNG": {"RGB", "L", "1", "P"},
    "BMP": {"RGB", "L", "P"},
    "WEBP": {"RGB"},
}


def read_image(path: Path, span: Span = None) -> Pixels:
    """The image in `path`: (H, W, 3) uint8, RGB, upright.

    Grey and palettes become RGB, transparent pixels become white, of an animation the first frame
    is read, the EXIF orientation is applied. Of deeper pixels than 8 bits, `span` becomes 0 to 255
    (`image.range`); without it 16 bits lose the lower 8. An array (.npy) is an image too. A JPEG or
    PNG without its end is read where no pixel is missing.
    Raises DataError with the reason: missing, empty, no image, truncated, undecodable, or a
    header that declares more than `MAX_PIXELS` (found before anything is decoded).
    """
    content = read_content(path)
    try:
        return decode_image(content, span)
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from problem.__cause__


def read_content(path: Path) -> bytes:
    """The bytes of a file; DataError with the reason when it cannot be opened."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as problem:
        raise DataError(f"{path}: {unreadable(problem)}") from problem


def decode_image(content: bytes, span: Span = None, outside: Outside | None = None) -> Pixels:
    """The image in a file with this content, see `read_image`; DataError with the reason alone.

    outside: notes an image with values outside of the span.
    """
    if not content:
        raise DataError("an empty file")
    if content.startswith(BEGIN):
        usual, content = _looked_at_jpeg(content)
        if usual:
            return _decode_opencv(content)
    image = open_image(content)
    if isinstance(image, np.ndarray):
        return _as_rgb(to_8_bits(image, span, outside))
    if _is_usual(image, content):
        return _decode_opencv(mended_png(content))
    return _decode_pillow(mended_png(content), span, outside)


def open_image(content: bytes) -> Image.Image | Pixels:
    """The image of a file, of which Pillow has read the header only; an array as it is.

    Raises DataError for what is no image, and for one that is too large.
    """
    if is_array(content):
        return read_array(content)
    try:
        image = Image.open(io.BytesIO(content))
    except Exception as problem:  # Pillow's readers raise whatever a broken header makes them
        raise DataError(_why_unknown(content)) from problem
    refuse_bomb(*image.size)
    return image


def _why_unknown(content: bytes) -> str:
    """What a file that no reader knows may be."""
    begin = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"<"):
        text = begin[:30].decode("utf-8", "replace").split("\n")[0]
        return f"a web page or XML, not an image (it begins with {text!r}). Download it again"
    return f"not an image that can be decoded (it begins with {content[:8]!r})"


def _looked_at_jpeg(content: bytes) -> tuple[bool, bytes]:
    """Whether a JPEG is grey or has three colours, and its content with an end; DataError for a
    bomb and for a truncated one.

    (Pillow would read every segment of the header: as long as decoding a small image takes.)
    """
    place, channels = len(BEGIN), 0
    while content[place : place + 1] == b"\xff" and place + 9 < len(content):
        marker = content[place + 1]
        if marker == SCAN:
            break
        if marker in FRAMES:
            height, width, channels = struct.unpack_from(">HHB", content, place + 5)
            refuse_bomb(width, height)
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        place += 1 if marker == 0xFF else 2 + length  # 0xFF: a fill byte
    # Inside a scan no marker can occur. After the end there may be anything: phones append videos.
    if content.find(END_OF_JPEG, place) < 0:
        content = mended_jpeg(content)
    return channels in {1, 3}, content


def _is_usual(image: Image.Image, content: bytes) -> bool:
    plain = image.mode in _OPENCV.get(image.format or "", ())
    return plain and "transparency" not in image.info and not has_deep_channels(content, image)


def _decode_opencv(content: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as problem:
        raise DataError(f"cannot be decoded ({problem.err})") from problem
    if pixels is None:
        raise DataError("damaged or truncated: the header is whole, the pixels are not")
    return pixels


def _decode_pillow(content: bytes, span: Span, outside: Outside | None) -> Pixels:
    try:
        image = Image.open(io.BytesIO(content))
        deep = deep_pixels(content, image)
        if deep is None:
            image.load()
            return _on_white(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except Exception as problem:  # Pillow's readers raise whatever broken pixels make them
        raise DataError(f"cannot be decoded ({problem})") from problem
    return _as_rgb(to_8_bits(deep, span, outside))


def _as_rgb(pixels: Pixels) -> Pixels:
    """RGB of 8-bit grey (H, W), grey and alpha, RGB or RGBA (H, W, C)."""
    return (
        _on_white(Image.fromarray(pixels)) if pixels.ndim == 2 or pixels.shape[2] != 3 else pixels
    )


def _on_white(image: Image.Image) -> Pixels:
    """RGB of 8-bit pixels in any mode; transparent pixels become white."""
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    colour = image.convert("RGBA")
    white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
    return np.array(Image.alpha_composite(white, colour).convert("RGB"))
