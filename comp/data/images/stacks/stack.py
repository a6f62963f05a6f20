"""What a file holds before it is scaled: planes of numbers, and what the file says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
Window = Callable[[Pixels], Pixels]  # numbers -> float32 in [0, 1]

MOST_VALUES = 1 << 30  # of one file: more does not fit in memory beside the rest


@dataclass(frozen=True)
class Stack:
    """The planes of a file.

    `planes`    (H, W, P) of any whole numbers or floats, upright
    `kind`      the format, for `comp check`
    `mode`      of what numbers, for `comp check`; never anything else that a file says
    `colours`   whether they are red, green and blue
    `alpha`     whether the last plane says how opaque a pixel is
    `inverted`  whether the lowest value is white
    `window`    what the file itself shows of its values; None where it does not say
    """

    planes: Pixels
    kind: str
    mode: str
    colours: bool = False
    alpha: bool = False
    inverted: bool = False
    window: Window | None = None


def as_planes(pixels: Pixels) -> Pixels:
    """(H, W, P) of (H, W) or (H, W, P)."""
    return pixels[..., None] if pixels.ndim == 2 else pixels


def linear(centre: float, width: float) -> Window:
    """What lies in the window (centre, width), from 0 to 1, evenly; other values are cut."""

    def show(values: Pixels) -> Pixels:
        share = (values.astype(np.float32) - (centre - width / 2)) / width
        return np.asarray(np.clip(share, 0, 1))

    return show
