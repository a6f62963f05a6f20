"""Masks from files: one with the numbers of the classes, or one per class."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.decode import read_content, refuse_bomb
from comp.data.images.header import image_size, upright_mask
from comp.data.masks.form import MaskForm, digest_parts
from comp.tasks.counts import IGNORED

Array = np.ndarray[Any, Any]

_OPAQUE = 128  # in a file of one class: from this value on a pixel is marked


@dataclass(frozen=True)
class FileSource:
    """A mask file, or one per class.

    `files`   (class number, file); a single (0, file) holds the numbers of the classes
    `values`  pixel value -> class number, where a file holds numbers; without them every bright
              pixel is of the file's class
    `content` a digest of the content of the files
    """

    path: Path
    files: tuple[tuple[int, Path], ...]
    form: MaskForm
    values: tuple[tuple[int, int], ...] = ()
    content: str = ""

    def digest(self) -> str:
        """A digest of the content of the files, and of what their pixels mean."""
        return digest_parts(self.content, self.values, self.form.classes, self.form.layers)

    def state(self, contents: Mapping[Path, str]) -> str:
        """A digest of the names and the `contents` of the files, and of what they mean."""
        seen = [(number, str(path), contents[path]) for number, path in self.files]
        return digest_parts(seen, self.values, self.form.classes, self.form.layers)

    def contents(self) -> str:
        """A digest of the content of the files, in their order."""
        parts = (hashlib.sha256(read_content(path)).digest() for _, path in self.files)
        return hashlib.sha256(b"".join(parts)).hexdigest()[:32]

    def objects(self) -> Array:
        """(K,) how many connected regions there are of each class."""
        mask = self.read()
        out = np.zeros(self.form.classes, dtype=np.int64)
        for number in range(1, self.form.classes + 1):
            marked = mask[..., 0] == number if self.form.layers == 1 else mask[..., number - 1] == 1
            out[number - 1] = cv2.connectedComponents(marked.astype(np.uint8))[0] - 1
        return out

    def read(self) -> Array:
        """The mask; DataError for a file that cannot be read or is not as large as the image."""
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
    """(H, W) uint8: the numbers in a mask file; the indices of a palette, the first channel of
    colours. Raises DataError where it cannot be read."""
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
    """(H, W) bool: what a mask of one class marks. Its values are 0 and 1, or about 0 and 255."""
    return np.asarray(grey > 0 if grey.max(initial=0) <= 1 else grey >= _OPAQUE)
