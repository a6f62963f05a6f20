"""The sources of masks: COCO annotations, run lengths, files; see `comp.data.index.masks`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.core import files
from comp.core.checksums import digest_text
from comp.core.errors import DataError
from comp.data.images.decode import image_size, read_content, refuse_bomb, upright_mask
from comp.data.masks import rle
from comp.data.masks.coco_shapes import region_of
from comp.tasks.counts import IGNORED

Array = np.ndarray[Any, Any]

_OPAQUE = 128  # of a file with one class: from here on it is marked


@dataclass(frozen=True)
class Form:
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


def _digest(*parts: object) -> str:
    text = json.dumps(parts, separators=(",", ":"), default=str)
    return digest_text(text)[:32]


@dataclass(frozen=True)
class Shape:
    """One COCO annotation: `number` of its class, its `segmentation` as in the file, its `area`."""

    number: int
    segmentation: Any
    area: float


@dataclass(frozen=True)
class CocoSource:
    """The annotations of an image, in the order in which they are painted; height and width as
    the file says."""

    path: Path
    size: tuple[int, int]
    shapes: tuple[Shape, ...]
    form: Form

    def digest(self) -> str:
        """Of everything that is marked."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        marked = [(shape.number, shape.segmentation) for shape in self.shapes]
        return _digest(self.size, self.form.layers, marked)

    def objects(self) -> Array:
        """(K,) annotations of each class."""
        numbers = [shape.number - 1 for shape in self.shapes]
        return np.bincount(np.array(numbers, dtype=np.int64), minlength=self.form.classes)

    def read(self) -> Array:
        """Raises DataError where image and annotations are of different sizes."""
        shapes = [(shape.number, region_of(shape.segmentation, self.size)) for shape in self.shapes]
        return upright_mask(self.form.paint(shapes, self.size), self.path)


@dataclass(frozen=True)
class RunsSource:
    """The run lengths of an image: (class number, text)."""

    path: Path
    runs: tuple[tuple[int, str], ...]
    form: Form
    order: str = "columns"

    def digest(self) -> str:
        """Of everything that is marked."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return _digest(self.runs, self.form.layers, self.order)

    def objects(self) -> Array:
        """(K,) rows of each class."""
        numbers = [number - 1 for number, _ in self.runs]
        return np.bincount(np.array(numbers, dtype=np.int64), minlength=self.form.classes)

    def read(self) -> Array:
        """Raises DataError for run lengths that leave the image."""
        size = image_size(self.path)
        shapes = [(number, rle.decode(text, *size, self.order)) for number, text in self.runs]
        return self.form.paint(shapes, size)


@dataclass(frozen=True)
class FileSource:
    """A mask file, or one a class.

    `files`   (class number, file); a single (0, file) holds the numbers of the classes
    `values`  pixel value -> class number, where a file holds numbers; else every bright pixel is
              of the class
    `content` a digest of the content of the files
    """

    path: Path
    files: tuple[tuple[int, Path], ...]
    form: Form
    values: tuple[tuple[int, int], ...] = ()
    content: str = ""

    def digest(self) -> str:
        """Of the content of the files, and of what their pixels mean."""
        return _digest(self.content, self.values, self.form.classes, self.form.layers)

    def state(self) -> str:
        """Of names, sizes and times of change of the files: cheap, but of this machine only."""
        told = [(number, str(path), *files.file_stat(path)) for number, path in self.files]
        return _digest(told, self.values, self.form.classes, self.form.layers)

    def contents(self) -> str:
        """A digest of the content of the files, in their order."""
        parts = (hashlib.sha256(read_content(path)).digest() for _, path in self.files)
        return hashlib.sha256(b"".join(parts)).hexdigest()[:32]

    def objects(self) -> Array:
        """(K,) connected regions of each class."""
        mask = self.read()
        out = np.zeros(self.form.classes, dtype=np.int64)
        for number in range(1, self.form.classes + 1):
            marked = mask[..., 0] == number if self.form.layers == 1 else mask[..., number - 1] == 1
            out[number - 1] = cv2.connectedComponents(marked.astype(np.uint8))[0] - 1
        return out

    def read(self) -> Array:
        """Raises DataError for a file that cannot be read or is not as large as the image."""
        if not self.files:
            return np.zeros((*image_size(self.path), self.form.layers), dtype=np.uint8)
        return upright_mask(self._stored(), self.path)

    def _stored(self) -> Array:
        if not self.values:
            shapes = [(number, bright(read_grey(path))) for number, path in self.files]
            return self.form.paint(shapes, shapes[0][1].shape)
        grey = read_grey(self.files[0][1])
        table = np.zeros(256, dtype=np.uint8)
        for value, number in self.values:
            table[value] = number
        numbers = table[grey]
        if self.form.layers == 1:
            return numbers[..., None]
        layers = numbers[..., None] == np.arange(1, self.form.classes + 1)
        return np.where(numbers[..., None] == IGNORED, IGNORED, layers).astype(np.uint8)


def read_grey(path: Path) -> Array:
    """(H, W) uint8: the numbers in a mask file; of a palette the indices, of colours the first
    channel. Raises DataError where it cannot be read."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(read_content(path))) as image:
            refuse_bomb(*image.size)
            image.load()
            pixels = np.asarray(image if image.mode != "1" else image.convert("L"))
    except DataError as problem:
        raise DataError(f"{path}: {str(problem).removeprefix(f'{path}: ')}") from problem
    except Exception as problem:  # Pillow's readers raise whatever a broken file makes them
        raise DataError(f"{path}: cannot be decoded ({problem})") from problem
    pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
    if pixels.dtype != np.uint8:
        if pixels.min() < 0 or pixels.max() > 255:
            raise DataError(f"{path}: holds {pixels.max()}; the numbers of a mask are 0 to 255")
        pixels = pixels.astype(np.uint8)
    return pixels


def bright(grey: Array) -> Array:
    """(H, W) bool: what a mask of one class marks: 0/255 and nearly so, or 0/1."""
    return np.asarray(grey > 0 if grey.max(initial=0) <= 1 else grey >= _OPAQUE)


Painter = Callable[[Sequence[Shape]], list[Shape]]

# data.on_top -> the order in which overlapping objects are painted
ON_TOP: dict[str, Painter] = {
    "larger_id": lambda shapes: sorted(shapes, key=lambda shape: shape.number),
    "later": list,
    "smaller": lambda shapes: sorted(shapes, key=lambda shape: -shape.area),
}
