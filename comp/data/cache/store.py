"""Where the pixels of an index come from: a memory map, or files that are decoded when read.

Any object with `shape` (N, S, S, C), `dtype`, `[row]` and `take(rows)` can be used like an array.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core.errors import DataError
from comp.data.cache.bound import bound_apart, bound_slices
from comp.data.cache.guard import Guard
from comp.data.images.crops import Box, fitted
from comp.data.images.pixel_form import PixelForm, form_of
from comp.data.images.reading import PLAIN, develop, read_pixels
from comp.data.images.resize import OWN_SIZE
from comp.data.index.sources import Source

Pixels = np.ndarray[Any, Any]
Images = Any  # an np.ndarray, or an object used like one


def gather(images: Images, rows: Pixels, out: Pixels | None = None) -> Pixels:
    """(n, S, S, C): the images of `rows`, in their order; in `out`, where it is given."""
    if isinstance(images, Guarded):
        images = images.checked(rows)
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


def in_memory(images: Images) -> bool:
    """Whether the images are an array, or a file that is mapped like one."""
    return isinstance(images, np.ndarray | Guarded)


def plain(images: Images) -> Images:
    """The same images, quick to index: indexing an np.memmap makes an np.memmap each time."""
    return np.asarray(images) if isinstance(images, np.ndarray) else images


def to_state(images: Images) -> Any:
    """What is pickled of the images: a memory map is mapped again, not copied."""
    owner: object = images.base if isinstance(images, np.memmap) else None
    if isinstance(owner, mmap.mmap):  # of a slice the base is another array, its offset not its own
        return str(images.filename), images.shape, images.offset, images.dtype.str
    return images


def from_state(state: Any) -> Images:
    """The images that `to_state` was called with."""
    if not isinstance(state, tuple):
        return state
    name, shape, offset, kind = state
    return np.memmap(name, np.dtype(kind), "r", offset, shape)


class Guarded:
    """A memory map (N, ...) whose rows are compared with their sums when they are first read.

    Used like the array; reading raises PackError, with the id, for a row that is damaged.
    """

    def __init__(self, array: Pixels, guard: Guard) -> None:
        self.array, self.guard = array, guard
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self._plain = np.asarray(array)

    def __len__(self) -> int:
        return len(self._plain)

    def __getitem__(self, which: Any) -> Pixels:
        if isinstance(which, (int, np.integer)):
            row = int(which)
            self.guard.check(row if row >= 0 else len(self) + row, self._plain[row])
            return np.asarray(self._plain[row])
        first = which[0] if isinstance(which, tuple) else which
        self.guard.check_all(np.atleast_1d(np.arange(len(self))[first]), self._plain)
        return np.asarray(self._plain[which])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        whole = self.checked(np.arange(len(self)))
        return whole.copy() if copy else np.asarray(whole, dtype)

    def checked(self, rows: Pixels) -> Pixels:
        """The whole array, of which `rows` are compared."""
        self.guard.check_all(rows, self._plain)
        return self._plain

    def take(self, rows: Pixels) -> Pixels:
        """The rows, in their order."""
        return np.take(self.checked(rows), rows, axis=0)

    def __getstate__(self) -> tuple[Any, Guard]:
        return to_state(self.array), self.guard

    def __setstate__(self, state: tuple[Any, Guard]) -> None:
        self.__init__(from_state(state[0]), state[1])  # type: ignore[misc]


class Decoded:
    """Images that are decoded and resized each time they are read.

    read: row -> the pixels of its files, (H, W, C) uint8 or uint16. boxes: of the index.
    Raises DataError, with the id, for a row that cannot be read.
    """

    def __init__(
        self,
        read: Callable[[int], Pixels],
        ids: tuple[str, ...],
        image: ImageConfig,
        boxes: Sequence[Box] | None = None,
    ):
        self.read, self.ids, self.image, self.boxes = read, ids, image, boxes
        self.own_size = image.resize in OWN_SIZE  # then `shape` describes no image
        self.shape = (len(ids), image.size, image.size, image.channels)
        self.dtype = form_of(image).dtype

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Pixels:
        try:
            box = None if self.boxes is None else self.boxes[int(row)]
            return fitted(self.read(int(row)), self.image, box)
        except DataError as problem:
            raise DataError(f"{self.ids[int(row)]!r}: {problem}") from problem

    def take(self, rows: Pixels) -> Pixels:
        """(n, S, S, C) of several rows, decoded in parallel."""
        out = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        with ThreadPoolExecutor(_THREADS) as pool:
            for place, pixels in enumerate(pool.map(self.__getitem__, rows)):
                out[place] = pixels
        return out


_THREADS = 4  # OpenCV decodes outside the interpreter's lock


class Files:
    """Reads the image files themselves, each time."""

    def __init__(self, sources: tuple[Source, ...], form: PixelForm = PLAIN) -> None:
        self.sources, self.form = sources, form

    def __call__(self, row: int) -> Pixels:
        return read_pixels(self.sources[row], self.form)


class Encoded:
    """Reads image files out of one file, whose `guard` knows where each ends.

    sources: of the index; None: each row is one file.
    """

    def __init__(
        self,
        path: Path,
        guard: Guard,
        form: PixelForm = PLAIN,
        sources: tuple[Source, ...] | None = None,
    ) -> None:
        self.path, self.guard, self.form, self.sources = path, guard, form, sources
        self.content = np.memmap(path, np.uint8, "r")

    def __call__(self, row: int) -> Pixels:
        start = int(self.guard.ends[row - 1]) if row else 0
        content = self.content[start : int(self.guard.ends[row])].tobytes()
        self.guard.check(row, content)
        if self.sources is None:
            return develop([content], self.form)
        source = self.sources[row]
        return develop(bound_apart(content, source), self.form, bound_slices(source))

    def __getstate__(self) -> tuple[Any, ...]:
        return self.path, self.guard, self.form, self.sources

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]
