"""Whether two thumbnails are the same frame: saved again, rotated by quarters, or flipped."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]

WAYS = 8  # quarter turns, each flipped or not
_FRAME, _DETAIL = 0.985, 0.9  # agreement of the thumbnails, and of their fine structure
_ASPECT = 1.04  # sides of the same frame differ by rounding only
_FLAT = 1.5  # grey levels: with less structure than that nothing can be told


def same_frame_as(a: Array, b: Array, aspect_a: float, aspect_b: float) -> int | None:
    """By which of the eight ways to turn `a` becomes `b`; 0 as it is, None by none of them.

    a, b: (S, S) uint8, grey and stretched; aspects: width / height of the images they are of.
    Brightness and contrast may differ; flat images are never said to be the same.
    """
    second = b.astype(np.float32)
    fine = _fine(second)
    if min(fine.std(), _fine(a.astype(np.float32)).std()) < _FLAT:
        return None
    for way in range(WAYS):
        ratio = aspect_a * aspect_b if way % 2 else aspect_a / aspect_b
        if max(ratio, 1 / ratio) > _ASPECT:
            continue
        first = turn(a, way).astype(np.float32)
        if _agreement(first, second) >= _FRAME and _agreement(_fine(first), fine) >= _DETAIL:
            return way
    return None


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
