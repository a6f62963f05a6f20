"""The masks of images, made when they are read.

A mask is (H, W, L) uint8 at the size of its upright image. One class a pixel: L = 1, 0 is the
background, 1..K the classes. Regions that may overlap: L = K layers of zeros and ones. In both 255
(`comp.tasks.counts.IGNORED`) is neither trained on nor scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from comp.core.errors import DataError

Array = np.ndarray[Any, Any]


class Source(Protocol):
    """Where the mask of one image comes from."""

    def digest(self) -> str:
        """A text that changes when the mask does; cheap."""

    def objects(self) -> Array:
        """(K,) int64: how many objects of each class are marked."""

    def read(self) -> Array:
        """(H, W, L) uint8. Raises DataError where it cannot be read."""


@dataclass(frozen=True)
class Marked:
    """A mask of which only the digest is known, as a plan knows it."""

    mark: str

    def digest(self) -> str:
        """What it was when the plan was made."""
        return self.mark

    def objects(self) -> Array:
        """Not known."""
        raise DataError("a plan does not hold the masks that it was made from")

    def read(self) -> Array:
        """Not known."""
        raise DataError("a plan does not hold the masks that it was made from")


class Masks:
    """The masks of N images, in the order of an index."""

    def __init__(self, sources: Sequence[Source], layers: int) -> None:
        self.sources = tuple(sources)
        self.layers = layers

    def __len__(self) -> int:
        return len(self.sources)

    def digest(self, row: int) -> str:
        """A text that changes when the mask of the row does."""
        return self.sources[row].digest()

    def objects(self, row: int) -> Array:
        """(K,) int64: how many objects of each class are marked in the row."""
        return self.sources[row].objects()

    def read(self, row: int) -> Array:
        """(H, W, L) uint8: the mask of the row, at the size of its image."""
        return self.sources[row].read()

    def of(self, rows: Sequence[int]) -> Masks:
        """The masks of some rows."""
        return Masks([self.sources[row] for row in rows], self.layers)
