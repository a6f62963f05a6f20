"""Whether two thumbnails are the same frame: saved again, rotated, or flipped."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]
Size = tuple[int, int]

WAYS = 8  # quarter turns, each flipped or not
# Agreement of the thumbnails, and of their fine structure. Photographs saved at quality 20 to 90
# reach 0.98 and 0.96. Tiny images have little that differs: of 1,797 handwritten digits of
# 8 x 8, the most similar reach 0.996 and 0.971.
_USUAL, _TINY = (0.985, 0.96), (0.999, 0.99)
TINY_SIDE = 64  # pixels of the longer side, below which a picture is tiny
_SIMILAR = 0.995  # of tiny images: resized or as JPEG they reach 0.998, other digits 0.987
_ASPECT = 1.04  # sides of the same frame differ by rounding only
_FLAT = 1.5  # grey levels: with less structure than that frames cannot be compared


def same_frame_as(a: Array, b: Array, size_a: Size, size_b: Size) -> int | None:
    """By which of the eight ways to turn `a` becomes `b`; 0 as it is, None by none of them.

    a, b: (S, S) uint8, grey and stretched; sizes: (width, height) of the images they are of.
    Brightness and contrast may differ; flat images are never the same.
    """
    whole, detail = _TINY if min(max(size_a), max(size_b)) < TINY_SIDE else _USUAL
    aspect_a, aspect_b = size_a[0] / size_a[1], size_b[0] / size_b[1]
    second = b.astype(np.float32)
    fine = _fine(second)
    if min(fine.std(), _fine(a.astype(np.float32)).std()) < _FLAT:
        return None
    for way in range(WAYS):
        ratio = aspect_a * aspect_b if way % 2 else aspect_a / aspect_b
        if max(ratio, 1 / ratio) > _ASPECT:
            continue
        first = turn(a, way).astype(np.float32)
        if _agreement(first, second) >= whole and _agreement(_fine(first), fine) >= detail:
            return way
    return None


def similar_to(a: Array, b: Array, size_a: Size, size_b: Size) -> bool:
    """Whether `a`, turned in any way, is so similar to `b` that it may be a copy: for tiny images,
    whose fine structure does not survive another size. Takes what `same_frame_as` takes."""
    aspect_a, aspect_b = size_a[0] / size_a[1], size_b[0] / size_b[1]
    first, second = _coarse(a), _coarse(b)
    if min(float(first.std()), float(second.std())) < _FLAT:
        return False
    for way in range(WAYS):
        ratio = aspect_a * aspect_b if way % 2 else aspect_a / aspect_b
        if max(ratio, 1 / ratio) > _ASPECT:
            continue
        if _agreement(turn(first, way), second) >= _SIMILAR:
            return True
    return False


def _coarse(image: Array) -> Array:
    """A quarter of the thumbnail's side: how it was resized does not show there."""
    side = image.shape[0] // 4
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def turn(image: Array, way: int) -> Array:
    """One of the eight: quarter turns by the two lower bits, then a flip."""
    turned = np.rot90(image, way % 4)
    return np.ascontiguousarray(turned[:, ::-1] if way >= 4 else turned)


def _fine(image: Array) -> Array:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), 2.0))


def _agreement(a: Array, b: Array) -> float:
    """The correlation of two images, -1..1."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(1e-9, np.sqrt((a * a).sum() * (b * b).sum())))
