"""Maps of probabilities, from the square that a network saw to the whole upright image.

Maps are kept at the size of `predict.mask_size`: a square that covers the whole image, stretched,
however the network saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from comp.core.errors import ConfigError
from comp.data.images.resize import OWN_SIZE

Array = np.ndarray[Any, Any]


def to_whole_image(
    probs: Array, height: int, width: int, resize: str, side: int, *, background: bool
) -> Array:
    """(C, side, side) float32: the maps of a whole image, stretched to a square.

    probs: (C, h, w) float32 of the resized image. height, width: of the upright image. background:
    whether the first column is the background, which gets what `crop` cut away; the other columns
    are zero there. Raises ConfigError for an unknown way to resize.
    """
    if resize not in _WHOLE:
        raise ConfigError(f"image.resize: {resize!r} cannot be undone on masks")
    whole = _WHOLE[resize](np.asarray(probs, dtype=np.float32), height, width, side)
    if background:
        whole[0] += whole.sum(axis=0) == 0
    return whole


def scaled(maps: Array, height: int, width: int) -> Array:
    """(C, height, width) of the dtype of the maps (C, h, w), linearly interpolated."""
    if maps.shape[1:] == (height, width):
        return maps
    shrinks = height < maps.shape[1] or width < maps.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(part, (width, height), interpolation=how) for part in maps])


def _stretched(probs: Array, height: int, width: int, side: int) -> Array:
    return scaled(probs, side, side)


def _unpadded(probs: Array, height: int, width: int, side: int) -> Array:
    size, longer = probs.shape[1], max(height, width)
    tall, wide = max(1, round(height * size / longer)), max(1, round(width * size / longer))
    top, left = (size - tall) // 2, (size - wide) // 2
    return scaled(probs[:, top : top + tall, left : left + wide], side, side)


def _uncropped(probs: Array, height: int, width: int, side: int) -> Array:
    edge = min(height, width)
    tall, wide = max(1, round(edge * side / height)), max(1, round(edge * side / width))
    top, left = (side - tall) // 2, (side - wide) // 2
    out = np.zeros((len(probs), side, side), dtype=np.float32)
    out[:, top : top + tall, left : left + wide] = scaled(probs, tall, wide)
    return out


_WHOLE: dict[str, Callable[[Array, int, int, int], Array]] = {
    "stretch": _stretched,
    "pad": _unpadded,
    "crop": _uncropped,
    **dict.fromkeys(OWN_SIZE, _stretched),
}
