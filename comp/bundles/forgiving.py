"""Images of which some cannot be read: a grey one stands for each, and their rows are known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files
from comp.core.errors import DataError
from comp.data.cache.store import Decoded, Files
from comp.data.images.header import image_size
from comp.data.images.pixel_form import PixelForm
from comp.data.index.index import Index

Pixels = np.ndarray[Any, Any]

_THREADS = 4  # OpenCV decodes outside the interpreter's lock


class Unreadable:
    """The rows that are answered without having been seen, and why.

    They are written to a file as soon as they are found, so that a command that goes on knows those
    that it found before it was killed.
    """

    def __init__(self, index: Index, missing: Sequence[str], path: Path, grey: Path) -> None:
        """path: the file; grey: an image that can be read."""
        self.index, self.path, self.grey = index, path, grey
        self.reasons = dict.fromkeys(missing, "no such file")
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            parts = (line.partition("\t") for line in lines if "\t" in line)
            self.reasons.update((name, why) for name, _, why in parts)

    def found(self, row: int, why: str) -> None:
        """Note that a row cannot be read."""
        name = self.index.ids[row]
        if name not in self.reasons:
            self.reasons[name] = why
            files.append_line(self.path, f"{name}\t{' '.join(why.split())}")

    def among(self, rows: Pixels) -> Pixels:
        """(n,) bool: which of these rows are not seen."""
        return np.array([self.index.ids[int(row)] in self.reasons for row in rows], dtype=bool)

    def sized(self) -> tuple[Path, ...]:
        """(N,) the image files, with the grey one for those whose header says no size."""
        if not self.reasons:
            return self.index.paths
        pairs = zip(self.index.ids, self.index.paths, strict=True)
        return tuple(self._sized(path) if n in self.reasons else path for n, path in pairs)

    def _sized(self, path: Path) -> Path:
        try:
            image_size(path)
        except DataError:
            return self.grey
        return path


class Forgiving:
    """The images of an index at their final size, decoded when they are read; a grey image for each
    that cannot be. Used like the images of a pack (see `comp.data.cache.store`)."""

    def __init__(
        self, index: Index, image: ImageConfig, form: PixelForm, unreadable: Unreadable
    ) -> None:
        self.decoded = Decoded(Files(index.all_sources, form), index.ids, image)
        self.grey = form.top // 2 + 1
        self.unreadable, self.image = unreadable, image
        self.own_size = self.decoded.own_size
        self.shape, self.dtype = self.decoded.shape, self.decoded.dtype

    def __len__(self) -> int:
        return len(self.decoded)

    def __getitem__(self, row: int) -> Pixels:
        try:
            return self.decoded[int(row)]
        except DataError as problem:
            self.unreadable.found(int(row), str(problem))
            return np.full(self.shape[1:], self.grey, dtype=self.dtype)

    def take(self, rows: Pixels) -> Pixels:
        """(n, S, S, C) of several rows, decoded in parallel."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return np.stack([*pool.map(self.__getitem__, rows)])


class SizedPaths(Sequence[Path]):
    """The files of an index for whoever asks for the size of an image: the grey one where a file
    was found to be unreadable meanwhile."""

    def __init__(self, unreadable: Unreadable) -> None:
        self.unreadable = unreadable

    def __len__(self) -> int:
        return len(self.unreadable.index)

    def __getitem__(self, row: Any) -> Any:
        index, bad = self.unreadable.index, self.unreadable
        path = index.paths[row]
        return bad._sized(path) if index.ids[row] in bad.reasons else path
