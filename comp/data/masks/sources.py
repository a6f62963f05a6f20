"""Masks from COCO annotations and from run lengths; see `comp.data.index.masks.Source`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.data.images.header import image_size, upright_mask
from comp.data.masks import rle
from comp.data.masks.coco_shapes import region_of
from comp.data.masks.form import MaskForm, digest_parts

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shape:
    """One COCO annotation: `number` of its class, its `segmentation` as in the file, its `area`."""

    number: int
    segmentation: Any
    area: float


Painter = Callable[[Sequence[Shape]], list[Shape]]

# data.on_top -> the order in which overlapping objects are painted
ON_TOP: dict[str, Painter] = {
    "larger_id": lambda shapes: sorted(shapes, key=lambda shape: shape.number),
    "later": list,
    "smaller": lambda shapes: sorted(shapes, key=lambda shape: -shape.area),
}


@dataclass(frozen=True)
class CocoSource:
    """The annotations of an image, in the order in which they are painted.

    `size` is its height and width as the COCO file says.
    """

    path: Path
    size: tuple[int, int]
    shapes: tuple[Shape, ...]
    form: MaskForm

    def digest(self) -> str:
        """A digest of everything that is marked."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        marked = [(shape.number, shape.segmentation) for shape in self.shapes]
        return digest_parts(self.size, self.form.layers, marked)

    def objects(self) -> Array:
        """(K,) how many annotations there are of each class."""
        numbers = [shape.number - 1 for shape in self.shapes]
        return np.bincount(np.array(numbers, dtype=np.int64), minlength=self.form.classes)

    def read(self) -> Array:
        """The mask; DataError where image and annotations are of different sizes."""
        shapes = [(shape.number, region_of(shape.segmentation, self.size)) for shape in self.shapes]
        return upright_mask(self.form.paint(shapes, self.size), self.path)


@dataclass(frozen=True)
class RunsSource:
    """The run lengths of an image: (class number, text)."""

    path: Path
    runs: tuple[tuple[int, str], ...]
    form: MaskForm
    order: str = "columns"

    def digest(self) -> str:
        """A digest of everything that is marked."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return digest_parts(self.runs, self.form.layers, self.order)

    def objects(self) -> Array:
        """(K,) how many rows there are of each class."""
        numbers = [number - 1 for number, _ in self.runs]
        return np.bincount(np.array(numbers, dtype=np.int64), minlength=self.form.classes)

    def read(self) -> Array:
        """The mask; DataError for run lengths that leave the image."""
        size = image_size(self.path)
        shapes = [(number, rle.decode(text, *size, self.order)) for number, text in self.runs]
        return self.form.paint(shapes, size)
