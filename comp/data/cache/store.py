"""Where the pixels of an index come from: a memory map, or files that are decoded when read.

Any object with `shape` (N, S, S, 3), `[row]` and `take(rows)` can be used like the array.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core.errors import DataError
from comp.data.images.decode import decode_image, read_image
from comp.data.images.resize import OWN_SIZE, fit

Pixels = np.ndarray[Any, Any]
Images = Any  # an np.ndarray, or an object used like one


def gather(images: Images, rows: Pixels, out: Pixels | None = None) -> Pixels:
    """(n, S, S, 3) uint8: the images of `rows`, in their order; in `out`, where it is given."""
    if isinstance(images, np.ndarray):
        if out is None:
            return np.take(np.asarray(images), rows, axis=0)
        if rows.min() < 0 or rows.max() >= len(images):
            raise IndexError(f"rows beyond the {len(images)} images")
        return np.take(images, rows, axis=0, out=out, mode="clip")  # "raise" copies once more
    found = np.asarray(images.take(rows))
    if out is None:
        return found
    out[:] = found
    return out


def plain(images: Images) -> Images:
    """The same images, quick to index: indexing an np.memmap makes an np.memmap each time."""
    return np.asarray(images) if isinstance(images, np.ndarray) else images


def to_state(images: Images) -> Any:
    """What is pickled of the images: a memory map is mapped again, not copied."""
    owner: object = images.base if isinstance(images, np.memmap) else None
    if isinstance(owner, mmap.mmap):  # of a slice the base is another array, its offset not its own
        return str(images.filename), images.shape, images.offset
    return images


def from_state(state: Any) -> Images:
    """The images that `to_state` was called with."""
    if not isinstance(state, tuple):
        return state
    name, shape, offset = state
    return np.memmap(name, np.uint8, "r", offset, shape)


class Decoded:
    """Images that are decoded and resized each time they are read.

    read: row -> the pixels of its file, (H, W, 3) uint8. Raises DataError, with the id, for a row
    that cannot be read.
    """

    def __init__(self, read: Callable[[int], Pixels], ids: tuple[str, ...], image: ImageConfig):
        self.read, self.ids, self.image = read, ids, image
        self.own_size = image.resize in OWN_SIZE  # then `shape` describes no image
        self.shape = (len(ids), image.size, image.size, 3)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Pixels:
        try:
            return fit(self.read(int(row)), self.image.size, self.image.resize)
        except DataError as problem:
            raise DataError(f"{self.ids[int(row)]!r}: {problem}") from problem

    def take(self, rows: Pixels) -> Pixels:
        """(n, S, S, 3) uint8 of several rows, decoded in parallel."""
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        with ThreadPoolExecutor(_THREADS) as pool:
            for place, pixels in enumerate(pool.map(self.__getitem__, rows)):
                out[place] = pixels
        return out


_THREADS = 4  # OpenCV decodes outside the interpreter's lock


class Files:
    """Reads the image files themselves, each time."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def __call__(self, row: int) -> Pixels:
        return read_image(self.paths[row])


class Encoded:
    """Reads image files out of one file. ends: (N,) where the bytes of each row end in it."""

    def __init__(self, path: Path, ends: Pixels) -> None:
        self.path, self.ends = path, ends
        self.content = np.memmap(path, np.uint8, "r")

    def __call__(self, row: int) -> Pixels:
        start = int(self.ends[row - 1]) if row else 0
        return decode_image(self.content[start : int(self.ends[row])].tobytes())

    def __getstate__(self) -> tuple[Path, Pixels]:
        return self.path, self.ends

    def __setstate__(self, state: tuple[Path, Pixels]) -> None:
        self.__init__(*state)  # type: ignore[misc]
