"""Pixels of more than 8 bits, and NumPy arrays as images: read whole, then brought to 8 bits.

`image.range` says which values become black and white. 12 bits in a file of 16 would be nearly
black otherwise.
"""

from __future__ import annotations

import io
import math
import threading
import zipfile
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError, first
from comp.data.images.limits import refuse_bomb

Pixels = np.ndarray[Any, Any]
# The values that become black and white, of all channels or of each; None: 0 and 65,535
Span = tuple[float, float] | tuple[tuple[float, float], ...] | None

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
    found = load_array(content)
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


def load_array(content: bytes) -> Pixels:
    """The array in a .npy, or the only one of an .npz, whatever it holds; no pickled objects.

    Raises DataError where it cannot be read.
    """
    try:
        return np.asarray(np.load(io.BytesIO(_only_member(content)), allow_pickle=False))
    except DataError:
        raise
    except Exception as problem:  # NumPy raises whatever a damaged file makes it
        raise DataError(f"an array that cannot be read ({problem})") from problem


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


def pairs_of(span: Span) -> tuple[tuple[float, float], ...]:
    """Black and white of each channel, or one pair for all; none without a span."""
    if span is None:
        return ()
    pairs: Any = span if isinstance(span[0], tuple) else (span,)
    return tuple((float(low), float(high)) for low, high in pairs)


class Outside:
    """Counts images of which values lie outside of `image.range`: they become black or white."""

    def __init__(self) -> None:
        self.images, self.low, self.high = 0, math.inf, -math.inf
        self._lock = threading.Lock()

    def note(self, low: float, high: float) -> None:
        """Note an image by its lowest and its highest value."""
        with self._lock:
            self.images += 1
            self.low, self.high = min(self.low, low), max(self.high, high)

    def __getstate__(self) -> None:
        """A count of its own for each process."""

    def __setstate__(self, state: None) -> None:
        self.__init__()  # type: ignore[misc]


def to_8_bits(pixels: Pixels, span: Span, outside: Outside | None = None) -> Pixels:
    """uint8 of numbers: `span` becomes 0 to 255, evenly, and what lies outside is black or white.

    Without a span whole numbers lose the lower 8 of 16 bits. outside: notes an image with values
    outside of the span. DataError for numbers that do not fit 16 bits, for floats without a span,
    and for NaN.
    """
    return to_bits(pixels, span, 8, outside)


def to_bits(pixels: Pixels, span: Span, bits: int, outside: Outside | None = None) -> Pixels:
    """uint8 or uint16 of numbers (H, W) or (H, W, C), see `to_8_bits`; 8 bits fill 16."""
    if pixels.dtype == np.uint8:
        return pixels if bits == 8 else pixels.astype(np.uint16) * np.uint16(257)
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" and (span is None or not np.isfinite(pixels).all()):
        raise DataError(
            f"pixels are floating point ({low:g}..{high:g}). Convert it to 8 bits, or name "
            "the values of black and white: image.range: [0, 1]"
        )
    if span is None and (low < 0 or high > 0xFFFF):
        raise DataError(
            f"grey values {low}..{high} do not fit 16 bits. Convert it to 8 bits, or name the "
            "values of black and white in image.range"
        )
    if span is None:
        return _stretched(pixels, 0, 0xFFFF, bits)
    spans = pairs_of(span)
    if len(spans) == 1:
        _note([(low, high)], spans, outside)
        return _stretched(pixels, *spans[0], bits)
    planes = [*np.moveaxis(pixels, 2, 0)]
    _note([(plane.min(), plane.max()) for plane in planes], spans, outside)
    parts = zip(planes, spans, strict=True)
    return np.stack([_stretched(plane, *own, bits) for plane, own in parts], axis=2)


def _note(
    ends: Sequence[tuple[Any, Any]], spans: Sequence[tuple[float, float]], outside: Outside | None
) -> None:
    """Note an image of which a plane has values outside of its span."""
    pairs = zip(ends, spans, strict=True)
    beyond = [(low, high) for (low, high), span in pairs if low < span[0] or high > span[1]]
    if beyond and outside is not None:
        outside.note(float(min(low for low, _ in beyond)), float(max(high for _, high in beyond)))


def _stretched(pixels: Pixels, black: float, white: float, bits: int) -> Pixels:
    """Numbers between black and white as whole ones of `bits`; others are cut."""
    top, kind = (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16
    table = pixels.astype(np.float64) - black
    if pixels.dtype.kind == "f":
        level = np.rint((table / (white - black)).clip(0, 1) * top)
    else:
        level = np.floor(table * (top + 1) / (white - black + 1)).clip(0, top)
    return np.asarray(level.astype(kind))
