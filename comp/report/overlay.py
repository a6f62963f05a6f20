"""Masks painted over images, one colour per class."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from comp.tasks.counts import IGNORED

Pixels = np.ndarray[Any, Any]

# Of classes 1, 2, ...: far from one another for most eyes (Okabe and Ito 2008, and four more).
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
    (204, 121, 167),
    (148, 0, 211),
    (0, 255, 0),
    (255, 0, 0),
    (0, 255, 255),
)
_GREY = (128, 128, 128)  # ignored pixels
_SHARE = 0.45  # of the colour


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of class `number`, from 1 on."""
    return COLOURS[(number - 1) % len(COLOURS)]


def overlay(image: Pixels, mask: Pixels) -> Pixels:
    """The image (H, W, 3) uint8 with its mask (H, W, L) uint8 in colours, each region with its
    outline. Of layers that overlap the last is seen."""
    out = image.astype(np.float32)
    parts = _parts(mask)
    for colour, region in parts:
        out[region] += _SHARE * (np.array(colour, dtype=np.float32) - out[region])
    painted: Pixels = out.round().astype(np.uint8)
    for colour, region in parts:
        lines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(painted, lines, -1, colour, 1)
    return painted


def _parts(mask: Pixels) -> list[tuple[tuple[int, int, int], Pixels]]:
    """Colour and (H, W) bool of everything that is marked."""
    if mask.shape[2] > 1:
        layers = [mask[:, :, layer] for layer in range(mask.shape[2])]
        found = [(colour_of(number), layer == 1) for number, layer in enumerate(layers, 1)]
        grey = (mask == IGNORED).any(axis=2)
    else:
        numbers = [int(value) for value in np.unique(mask) if value not in (0, IGNORED)]
        found = [(colour_of(number), mask[:, :, 0] == number) for number in numbers]
        grey = mask[:, :, 0] == IGNORED
    return [pair for pair in (*found, (_GREY, grey)) if pair[1].any()]
