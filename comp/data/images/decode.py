"""Reading an image file as upright RGB, whatever its format.

OpenCV decodes the usual files. What it gets wrong or does not know (it drops transparency, for one)
is decoded by Pillow. The header is read first: for the size that it declares, and for the end of a
JPEG, because OpenCV 4 returns the half that is there of a truncated one.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError, unreadable

Pixels = np.ndarray[Any, Any]

MAX_PIXELS = 200_000_000  # a header that declares more is a decompression bomb or a mistake

# The limit above replaces Pillow's own, which warns at 89 megapixels and refuses at 179.
Image.MAX_IMAGE_PIXELS = None

# Damaged files raise our errors; OpenCV's own warnings would break the progress bars.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

# What OpenCV decodes as Pillow would, the orientation in the EXIF data included.
_OPENCV = {
    "PNG": {"RGB", "L", "1", "P"},
    "BMP": {"RGB", "L", "P"},
    "WEBP": {"RGB"},
}
# Markers of a JPEG: its beginning, the frame headers (they hold the size), the scan, the end.
_BEGIN, _SCAN, _END = b"\xff\xd8", 0xDA, b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_image(path: Path) -> Pixels:
    """The image in `path`: (H, W, 3) uint8, RGB, upright.

    Grey and palettes become RGB, 16 bits lose the lower 8 (never clipped), transparent pixels
    become white, of an animation the first frame is read, the EXIF orientation is applied.
    Raises DataError with the reason: missing, empty, no image, truncated, undecodable, or a
    header that declares more than `MAX_PIXELS` (found before anything is decoded).
    """
    content = read_content(path)
    try:
        return decode_image(content)
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from problem.__cause__


def read_content(path: Path) -> bytes:
    """The bytes of a file; DataError with the reason when it cannot be opened."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as problem:
        raise DataError(f"{path}: {unreadable(problem)}") from problem


def decode_image(content: bytes) -> Pixels:
    """The image in a file with this content, see `read_image`; DataError with the reason alone."""
    if not content:
        raise DataError("an empty file")
    if content.startswith(_BEGIN) and _is_usual_jpeg(content):
        return _decode_opencv(content)
    try:
        image = Image.open(io.BytesIO(content))
    except Exception as problem:  # Pillow's readers raise whatever a broken header makes them
        raise DataError(_why_unknown(content)) from problem
    refuse_bomb(*image.size)
    return _decode_opencv(content) if _is_usual(image) else _decode_pillow(image)


def refuse_bomb(width: int, height: int) -> None:
    """Raise DataError for the size of an image that would not fit in memory."""
    if width * height > MAX_PIXELS:
        raise DataError(
            f"declares {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels "
            "are read. Make it smaller or remove it"
        )


def _why_unknown(content: bytes) -> str:
    """What a file that no reader knows may be."""
    begin = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"<"):
        text = begin[:30].decode("utf-8", "replace").split("\n")[0]
        return f"a web page or XML, not an image (it begins with {text!r}). Download it again"
    return f"not an image that can be decoded (it begins with {content[:8]!r})"


def _is_usual_jpeg(content: bytes) -> bool:
    """Whether a JPEG is grey or has three colours; DataError for a bomb and for a truncated one.

    (Pillow would read every segment of the header: as long as decoding a small image takes.)
    """
    place, channels = len(_BEGIN), 0
    while content[place : place + 1] == b"\xff" and place + 9 < len(content):
        marker = content[place + 1]
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            height, width, channels = struct.unpack_from(">HHB", content, place + 5)
            refuse_bomb(width, height)
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        place += 1 if marker == 0xFF else 2 + length  # 0xFF: a fill byte
    # Inside a scan no marker can occur. After the end there may be anything: phones append videos.
    if content.find(_END, place) < 0:
        raise DataError("a truncated JPEG (its end is missing). Copy or download it again")
    return channels in {1, 3}


def _is_usual(image: Image.Image) -> bool:
    plain = image.mode in _OPENCV.get(image.format or "", ())
    return plain and "transparency" not in image.info


def _decode_opencv(content: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as problem:
        raise DataError(f"cannot be decoded ({problem.err})") from problem
    if pixels is None:
        raise DataError("damaged or truncated: the header is whole, the pixels are not")
    return pixels


def _decode_pillow(image: Image.Image) -> Pixels:
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _GREY_DEPTHS.get(upright.mode, _on_white)(upright)
    except DataError:
        raise
    except Exception as problem:  # Pillow's readers raise whatever broken pixels make them
        raise DataError(f"cannot be decoded ({problem})") from problem


def _on_white(image: Image.Image) -> Pixels:
    """RGB of 8-bit pixels in any mode; transparent pixels become white."""
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    colour = image.convert("RGBA")
    white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
    return np.array(Image.alpha_composite(white, colour).convert("RGB"))


def _high_byte(image: Image.Image) -> Pixels:
    """RGB of grey pixels with 16 bits: the higher 8."""
    grey = np.asarray(image)
    if grey.size and (grey.min() < 0 or grey.max() > 0xFFFF):
        raise DataError(
            f"grey values {grey.min()}..{grey.max()} do not fit 16 bits. Convert it to 8 bits"
        )
    return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)


def _refuse_float(image: Image.Image) -> Pixels:
    raise DataError(f"pixels are floating point (mode {image.mode!r}). Convert it to 8 bits")


_GREY_DEPTHS: dict[str, Callable[[Image.Image], Pixels]] = {
    "I;16": _high_byte,
    "I;16B": _high_byte,
    "I;16L": _high_byte,
    "I;16N": _high_byte,
    "I": _high_byte,
    "F": _refuse_float,
}
