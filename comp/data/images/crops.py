"""Cutting the part of an image that matters out, before it is resized (`image.crop`, `data.boxes`).

A box is (left, top, right, bottom) as shares of width and height, so that it holds for an image of
any size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from comp.config.schema import ImageConfig
from comp.data.images.resize import fit

Pixels = np.ndarray[Any, Any]
Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_CORNER = 0.02  # of each side: what the colour of the border is measured on
_OTHER = 24  # how far a channel of a pixel is from the colour of the border when it is none
_FILLED = 0.02  # of a row or a column that must be other than the border, against noise


def _different(image: Pixels) -> Pixels:
    """(H, W) bool: which pixels are not of the colour that the four corners have."""
    height, width = image.shape[:2]
    down, across = max(1, round(_CORNER * height)), max(1, round(_CORNER * width))
    corners = [image[y, x].reshape(-1, image.shape[2])
               for y in (np.s_[:down], np.s_[-down:]) for x in (np.s_[:across], np.s_[-across:])
              ]  # fmt: skip
    colour = np.median(np.concatenate(corners), axis=0)
    other = _OTHER * (257 if image.dtype == np.uint16 else 1)
    return np.asarray(np.abs(image.astype(np.int32) - colour).max(axis=2) > other)


def _border(image: Pixels) -> Box:
    """Without the border of one colour around an image."""
    other = _different(image)
    rows = np.flatnonzero(other.sum(axis=1) >= max(2, _FILLED * other.shape[1]))
    columns = np.flatnonzero(other.sum(axis=0) >= max(2, _FILLED * other.shape[0]))
    if not len(rows) or not len(columns):
        return WHOLE
    return _shares((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), other.shape)


def _object(image: Pixels) -> Box:
    """The largest connected thing on a plain background."""
    return component_box(_different(image)) or WHOLE


def component_box(mask: Pixels) -> Box | None:
    """The box of the largest connected component of a mask (H, W); None where it is empty."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    largest = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
    left, top, width, height = (int(value) for value in largest[:4])
    return _shares((left, top, left + width, top + height), mask.shape)


def _shares(corners: tuple[int, int, int, int], shape: tuple[int, ...]) -> Box:
    left, top, right, bottom = map(float, corners)
    return left / shape[1], top / shape[0], right / shape[1], bottom / shape[0]


# `image.crop` -> (H, W, C) -> the box that is kept
CROPS: dict[str, Callable[[Pixels], Box]] = {
    "none": lambda image: WHOLE,
    "border": _border,
    "object": _object,
}


def cut(image: Pixels, config: ImageConfig, box: Box | None = None) -> Pixels:
    """The part of an image (H, W, C) that `box` names, or else `image.crop` finds, with
    `image.crop_margin` of its sides around it, and at least `image.crop_least` of each side."""
    if box is None and config.crop == "none":
        return image
    left, top, right, bottom = CROPS[config.crop](image) if box is None else box
    x = _span(left, right, config, image.shape[1])
    y = _span(top, bottom, config, image.shape[0])
    return image[slice(*y), slice(*x)]


def _span(low: float, high: float, config: ImageConfig, size: int) -> tuple[int, int]:
    """First and last (excluded) pixel of a part of a side, with a margin on both ends."""
    half = max((high - low) * (1 + 2 * config.crop_margin), config.crop_least) / 2
    middle = (low + high) / 2
    first = max(0, round((middle - half) * size))
    last = min(size, round((middle + half) * size))
    first = min(first, size - 1)
    return first, max(last, first + 1)


def fitted(image: Pixels, config: ImageConfig, box: Box | None = None) -> Pixels:
    """(H, W, C) as a network takes it: cut, then resized (see `comp.data.images.resize`)."""
    return fit(cut(image, config, box), config.size, config.resize)
