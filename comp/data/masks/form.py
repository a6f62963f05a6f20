"""What all masks of a data set have in common: classes, layers, and how they are painted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.checksums import digest_text

Array = np.ndarray[Any, Any]


# What people call that which no class has
_BACKGROUND = frozenset(("background", "bg", "배경", "背景", "hintergrund", "fondo", "arrièreplan"))


def is_background(name: str) -> bool:
    """Whether the name of a class says that it is the background: `Background`, `_background_`,
    `BG`."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) in _BACKGROUND


@dataclass(frozen=True)
class MaskForm:
    """What every mask of a data set is like.

    `classes`  K
    `layers`   L: 1, or K where regions may overlap
    """

    classes: int
    layers: int

    def paint(self, shapes: Sequence[tuple[int, Array]], size: tuple[int, int]) -> Array:
        """(H, W, L) uint8 from (class number 1..K, region (H, W) bool), the last on top."""
        out = np.zeros((*size, self.layers), dtype=np.uint8)
        for number, region in shapes:
            if self.layers == 1:
                out[region, 0] = number
            else:
                out[region, number - 1] = 1
        return out


def digest_parts(*parts: object) -> str:
    """A digest, 32 hex digits, of plain values."""
    text = json.dumps(parts, separators=(",", ":"), default=str)
    return digest_text(text)[:32]
