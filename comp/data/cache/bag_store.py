"""The images of bags, read out of the images that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.data.cache.store import Images, from_state, gather, plain, to_state

Array = np.ndarray[Any, Any]


class BagImages:
    """The images of each bag, (n, S, S, 3) uint8 with an n of its own.

    images: all images, an array or an object used like one. rows: for each bag the rows of its
    images. `shape` is that of as many single images as there are bags.
    """

    def __init__(self, images: Images, rows: Sequence[tuple[int, ...]]) -> None:
        self.images, self.rows = images, [np.asarray(own, dtype=np.int64) for own in rows]
        self._plain = plain(images)
        self.shape = (len(self.rows), *images.shape[1:])
        self.dtype = np.dtype(images.dtype)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Array:
        return gather(self._plain, self.rows[int(row)])

    def size(self, row: int) -> int:
        """How many images a bag holds."""
        return len(self.rows[int(row)])

    def some(self, row: int, places: Array) -> Array:
        """(k, S, S, 3) the images at some places of a bag."""
        return gather(self._plain, self.rows[int(row)][places])

    def take(self, rows: Array) -> Array:
        """(b, n, S, S, 3) of bags that hold n images each."""
        return np.stack([self[int(row)] for row in rows])

    def __getstate__(self) -> tuple[Any, list[Array]]:
        return to_state(self.images), self.rows

    def __setstate__(self, state: tuple[Any, list[Array]]) -> None:
        self.__init__(from_state(state[0]), state[1])  # type: ignore[misc]


def alike(store: BagImages, rows: Array, most: int) -> list[Array]:
    """The rows in parts, in their order: of bags of one size each, with at most `most` images
    together, or of one bag."""
    parts: list[list[int]] = []
    for row in np.asarray(rows).tolist():
        size = store.size(row)
        before = parts[-1] if parts else []
        if before and store.size(before[0]) == size and (len(before) + 1) * size <= most:
            before.append(row)
        else:
            parts.append([row])
    return [np.asarray(part, dtype=np.int64) for part in parts]
