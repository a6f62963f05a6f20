"""The images of a bag in a row, each with what it counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from comp.report.page import shrunk

Array = np.ndarray[Any, Any]

MOST = 12  # images in a strip; of larger bags those that counted most, in their order
_SIDE, _FOOT, _GAP = 96, 26, 6  # pixels
_FOR, _AGAINST, _INK = (0, 114, 178), (213, 94, 0), (30, 30, 30)


def shown(values: Array) -> list[int]:
    """The places that a strip has, in the order of the bag."""
    return sorted(np.argsort(-np.abs(values), kind="stable")[:MOST].tolist())


def strip(images: Sequence[Array], values: Array, *, weights: bool) -> Array:
    """(H, W, 3) uint8: images (S, S, 3) side by side; below each a bar as long as its number, blue,
    or orange below zero, and the number.

    values: one for each image. weights: whether they are shares of 1, else differences.
    """
    width = len(images) * (_SIDE + _GAP) - _GAP
    out = np.full((_SIDE + _FOOT, width, 3), 255, dtype=np.uint8)
    longest = max(float(np.abs(values).max()), 1e-9)
    for place, (image, value) in enumerate(zip(images, values.tolist(), strict=True)):
        left = place * (_SIDE + _GAP)
        small = shrunk(image, _SIDE)
        out[: small.shape[0], left : left + small.shape[1]] = small
        long = max(1, round(_SIDE * abs(value) / longest))
        out[_SIDE + 3 : _SIDE + 8, left : left + long] = _FOR if value >= 0 else _AGAINST
        text = f"{value:.2g}" if weights else f"{value:+.2g}"
        at = (left, _SIDE + _FOOT - 4)
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return out
