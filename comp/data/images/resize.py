"""Bringing images, and their masks, to the square that a network takes (`image.resize`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from comp.core.errors import pick

Pixels = np.ndarray[Any, Any]
Scale = Callable[[Pixels, int, int], Pixels]  # image, width, height -> image

OWN_SIZE = ("none", "tiles")  # image.resize: images keep the size that they have


def by_fours(image: Pixels, change: Callable[[Pixels], Pixels]) -> Pixels:
    """The image (H, W, C) with each of its channels changed: OpenCV takes four at a time, and
    gives a single one without its axis."""
    count = image.shape[2] if image.ndim == 3 else 0
    if count in (0, 2, 3, 4):
        return change(image)
    starts = range(0, count, 4)
    parts = [change(np.ascontiguousarray(image[..., n : n + 4])) for n in starts]
    return np.concatenate([p[..., None] if p.ndim == 2 else p for p in parts], axis=2)


def _scale(image: Pixels, width: int, height: int) -> Pixels:
    """The image at another size: averaged along the axes that shrink, interpolated along those
    that grow."""
    return by_fours(image, lambda part: _scale_some(part, width, height))


def _scale_some(image: Pixels, width: int, height: int) -> Pixels:
    old_height, old_width = image.shape[:2]
    shrunk = (min(width, old_width), min(height, old_height))
    if shrunk != (old_width, old_height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def _nearest(mask: Pixels, width: int, height: int) -> Pixels:
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _stretch(image: Pixels, size: int, scale: Scale) -> Pixels:
    return scale(image, size, size)


def _pad(image: Pixels, size: int, scale: Scale) -> Pixels:
    """The whole image, centred; the rest is its mirror image. (Bars of one colour would show a
    network how long the image was, and with it perhaps the class.)"""
    height, width = image.shape[:2]
    longer = max(height, width)
    image = scale(
        image, max(1, round(width * size / longer)), max(1, round(height * size / longer))
    )
    tall, wide = size - image.shape[0], size - image.shape[1]
    top, left = tall // 2, wide // 2
    borders = top, tall - top, left, wide - left
    return by_fours(
        image,
        lambda part: cv2.copyMakeBorder(part, *borders, borderType=cv2.BORDER_REFLECT_101),
    )


def _crop(image: Pixels, size: int, scale: Scale) -> Pixels:
    """The central square. (Cut first: an 8 x 20000 image grown to its short side is 800 MB.)"""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return scale(image[top : top + side, left : left + side], size, size)


def _unchanged(image: Pixels, size: int, scale: Scale) -> Pixels:
    return image


RESIZES: dict[str, Callable[[Pixels, int, Scale], Pixels]] = {
    "stretch": _stretch,
    "pad": _pad,
    "crop": _crop,
    **dict.fromkeys(OWN_SIZE, _unchanged),
}


def fit(image: Pixels, size: int, resize: str) -> Pixels:
    """(H, W, C) uint8 or uint16 as (size, size, C), by one of `RESIZES`.

    `stretch` ignores the aspect; `pad` keeps it and fills with the mirror image; `crop` keeps it
    and cuts the ends off; `none` and `tiles` leave the image at its own size. Raises ConfigError
    for an unknown name.
    """
    how = pick(RESIZES, resize, "way to resize (image.resize)")
    return np.ascontiguousarray(how(image, size, _scale))


def fit_mask(mask: Pixels, size: int, resize: str) -> Pixels:
    """(H, W, L) uint8 as (size, size, L) uint8: resized as `fit` resizes its image.

    Each pixel takes the value of the nearest one, so no new values appear.
    Raises ConfigError for an unknown name.
    """
    how = pick(RESIZES, resize, "way to resize (image.resize)")
    layers = [how(np.ascontiguousarray(layer), size, _nearest) for layer in np.moveaxis(mask, 2, 0)]
    return np.stack(layers, axis=2)
