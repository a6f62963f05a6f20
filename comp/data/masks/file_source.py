"""Masks from files: one with the numbers of the classes, or one per class."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.core.errors import DataError
from comp.data.images.decode import read_content
from comp.data.images.header import image_size, upright_mask
from comp.data.masks.form import MaskForm, digest_parts
from comp.data.masks.pictures import (
    Colour,
    as_numbers,
    numbers_of,
    read_bright,
    read_grey,
    read_mask_file,
    shown_colours,
)
from comp.tasks.counts import IGNORED

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FileSource:
    """A mask file, or one per class.

    `files`   (class number, file); a single (0, file) holds the numbers of the classes
    `values`  pixel value -> class number, where a file holds numbers; without them every bright
              pixel is of the file's class
    `content` a digest of the content of the files
    `colours` colour -> class number, where a file holds colours; `tolerance`: how far a channel of
              a pixel may be from it
    """

    path: Path
    files: tuple[tuple[int, Path], ...]
    form: MaskForm
    values: tuple[tuple[int, int], ...] = ()
    content: str = ""
    colours: tuple[tuple[Colour, int], ...] = ()
    tolerance: int = 0

    def digest(self) -> str:
        """A digest of the content of the files, and of what their pixels mean."""
        return digest_parts(self.content, *self._meaning)

    def state(self, contents: Mapping[Path, str]) -> str:
        """A digest of the names and the `contents` of the files, and of what they mean."""
        seen = [(number, str(path), contents[path]) for number, path in self.files]
        return digest_parts(seen, *self._meaning)

    @property
    def _meaning(self) -> tuple[object, ...]:
        colours = (self.colours, self.tolerance) if self.colours else ()
        return (self.values, self.form.classes, self.form.layers, *colours)

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
        if not self.values and not self.colours:
            shapes = [(number, read_bright(path)) for number, path in self.files]
            return self.form.paint(shapes, shapes[0][1].shape)
        numbers = self._numbers_of_colours() if self.colours else self._numbers()
        if self.form.layers == 1:
            return numbers[..., None]
        layers = numbers[..., None] == np.arange(1, self.form.classes + 1)
        return np.where(numbers[..., None] == IGNORED, IGNORED, layers).astype(np.uint8)

    def _numbers(self) -> Array:
        """(H, W) uint8 class numbers, of a file of numbers."""
        table = np.zeros(256, dtype=np.uint8)
        for value, number in self.values:
            table[value] = number
        return np.asarray(table[read_grey(self.files[0][1])])

    def _numbers_of_colours(self) -> Array:
        """(H, W) uint8 class numbers, of a file of colours."""
        path = self.files[0][1]
        numbers, strange = numbers_of(
            read_mask_file(path, palette=True), self.colours, self.tolerance
        )
        if len(strange):
            found = shown_colours(*np.unique(as_numbers(strange), return_counts=True))
            raise DataError(f"{path}: holds colours that data.colours does not name: {found}")
        return numbers
