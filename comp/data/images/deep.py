"""Pixels of more than 8 bits, and NumPy arrays as images: read whole, then brought to 8 bits.

`image.range` says which values become black and white. 12 bits in a file of 16 would be nearly
black otherwise.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError, first
from comp.data.images.limits import refuse_bomb

Pixels = np.ndarray[Any, Any]
Span = tuple[float, float] | None  # the values that become 0 and 255; None: 0 and 65,535

_PNG, _DEPTH = b"\x89PNG\r\n\x1a\n", 24  # the byte of a PNG that holds its bits a channel
_BITS_PER_SAMPLE, _ORIENTATION = 258, 0x0112  # tags of a TIFF, and of EXIF data
_ARRAY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


def may_be_deep(begin: bytes) -> bool:
    """Whether the first 32 bytes of a file leave it open that it has more than 8 bits a channel."""
    if begin.startswith(_PNG):
        return begin[_DEPTH : _DEPTH + 1] == b"\x10"
    shallow = begin.startswith((b"\xff\xd8", b"GIF8", b"BM", b"RIFF"))
    return not shallow and bool(begin)


def is_array(content: bytes) -> bool:
    """Whether a file is a .npy, or a zip as .npz is one."""
    return content.startswith((_ARRAY, _ZIP))


def read_array(content: bytes) -> Pixels:
    """The image in a .npy, or the only array of an .npz: (H, W) or (H, W, 3), of any number.

    DataError, with dtype and shape, for what cannot be an image. Pickled objects are never opened.
    """
    try:
        found = np.load(io.BytesIO(_only_member(content)), allow_pickle=False)
    except DataError:
        raise
    except Exception as problem:  # NumPy raises whatever a damaged file makes it
        raise DataError(f"an array that cannot be read ({problem})") from problem
    what = f"an array of {found.dtype}, shape {found.shape}"
    if found.dtype.kind not in "uif":
        raise DataError(f"{what}; save the images as uint8")
    if found.ndim == 3 and found.shape[2] == 1:
        found = found[:, :, 0]
    if found.ndim not in (2, 3) or (found.ndim == 3 and found.shape[2] != 3) or not found.size:
        last = ", so the channels come last: np.transpose(a, (1, 2, 0))"
        hint = last if found.ndim == 3 and found.shape[0] in (1, 3) else ""
        raise DataError(f"{what}; an image is (height, width) or (height, width, 3){hint}")
    refuse_bomb(found.shape[1], found.shape[0])
    return np.asarray(found)


def _only_member(content: bytes) -> bytes:
    """The .npy inside an .npz; what is no zip is left."""
    if content.startswith(_ARRAY):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if len(names) != 1 or not names[0].endswith(".npy"):
            raise DataError(f"an archive that holds {first(names)}; one array is an image")
        if archive.getinfo(names[0]).file_size > 1 << 31:
            raise DataError("an archive whose array has more than 2 GB; no image is that large")
        return archive.read(names[0])


def deep_pixels(content: bytes, image: Image.Image) -> Pixels | None:
    """The pixels of an image with more than 8 bits a channel, upright; None for other images.

    (H, W), or (H, W, C) with C of 2 (grey and alpha), 3 or 4 (RGBA), of whole numbers or floats.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image.load()
        return np.asarray(ImageOps.exif_transpose(image))
    if not has_deep_channels(content, image):
        return None
    pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype.itemsize < 2:
        raise DataError("16 bits a channel in a form that cannot be read. Save it as PNG")
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    return _upright(pixels, image)


def has_deep_channels(content: bytes, image: Image.Image) -> bool:
    """Whether Pillow would cut the channels of this image to 8 bits."""
    if image.format == "PNG":
        return content.startswith(_PNG) and content[_DEPTH] == 16
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return bool(max(tags.get(_BITS_PER_SAMPLE, (8,))) > 8)
    return False


def _upright(pixels: Pixels, image: Image.Image) -> Pixels:
    """Pixels turned as the EXIF data of their image say."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    if orientation == 1:
        return pixels
    places = Image.fromarray(
        np.arange(pixels.shape[0] * pixels.shape[1], dtype=np.int32).reshape(pixels.shape[:2])
    )
    places.getexif()[_ORIENTATION] = orientation
    order = np.asarray(ImageOps.exif_transpose(places))
    return np.asarray(pixels.reshape(-1, *pixels.shape[2:])[order])


def to_8_bits(pixels: Pixels, span: Span) -> Pixels:
    """uint8 of numbers: `span` becomes 0 to 255, evenly, and what lies outside is black or white.

    Without a span whole numbers lose the lower 8 of 16 bits. DataError for numbers that do not fit
    16 bits, for floats without a span, and for NaN.
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f":
        if span is None or not np.isfinite(pixels).all():
            raise DataError(
                f"pixels are floating point ({low:g}..{high:g}). Convert it to 8 bits, or name "
                "the values of black and white: image.range: [0, 1]"
            )
        scaled = (pixels.astype(np.float64) - span[0]) / (span[1] - span[0])
        return np.asarray(np.rint(scaled.clip(0, 1) * 255).astype(np.uint8))
    if span is None and (low < 0 or high > 0xFFFF):
        raise DataError(
            f"grey values {low}..{high} do not fit 16 bits. Convert it to 8 bits, or name the "
            "values of black and white in image.range"
        )
    black, white = span or (0, 0xFFFF)
    table = pixels.astype(np.float64) - black
    return np.floor(table * 256 / (white - black + 1)).clip(0, 255).astype(np.uint8)
