"""Batches of packed images with their targets: each a function of its keys and nothing else.

A key is (epoch, position, row): position is the place of an image in the order of its epoch. Every
draw follows from (seed, fold, epoch, position), so it does not matter which process makes a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from comp.core import rng
from comp.core.parallel import read_ahead
from comp.data.cache.bag_store import BagImages, alike
from comp.data.cache.store import Images, from_state, gather, plain, to_state
from comp.data.loader.recipes import Recipe
from comp.data.loader.targets import Batch, Target

Array = np.ndarray[Any, Any]
Key = tuple[int, int, int]  # epoch, position, row of the pack


class Batches:
    """A map-style torch dataset whose items are whole batches, indexed by a list of keys."""

    def __init__(
        self, images: Images, target: Target, recipe: Recipe, seed: int, fold: int
    ) -> None:
        self.images, self.target, self.recipe = images, target, recipe
        self.seed, self.fold = seed, fold
        self._plain = plain(images)

    def buffer(self, count: int) -> Array | None:
        """Memory for the images of a batch; None where their size is not yet known."""
        return self.target.buffer((count, *self._plain.shape[1:]))

    def make(self, keys: list[Key], buffer: Array | None) -> Batch:
        """The batch of these keys, its images in the buffer where there is one."""
        if self.recipe.changes or self.target.changes_images:
            return self.target.collate((self._one(*key) for key in keys), buffer)
        rows = np.array([row for _, _, row in keys], dtype=np.int64)
        return torch.from_numpy(gather(self._plain, rows, buffer)), self.target.read(rows)

    def __getitem__(self, keys: list[Key]) -> Batch:
        return self.make(keys, self.buffer(len(keys)))

    def _one(self, epoch: int, position: int, row: int) -> tuple[Array, Array]:
        seed = partial(self._seed, epoch, position)
        image = self.target.look(self._plain, row, seed)
        return self.target.augment(image, row, self.recipe, seed)

    def _seed(self, epoch: int, position: int, purpose: str) -> int:
        return rng.derive(self.seed, purpose, self.fold, epoch, position)

    def __getstate__(self) -> dict[str, Any]:
        """For workers that are spawned: they map the file again; pickle would copy all of it."""
        state = {name: value for name, value in self.__dict__.items() if name != "_plain"}
        return {**state, "images": to_state(self.images)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "images": from_state(state["images"])})
        self._plain = plain(self.images)


def eval_batches(
    images: Images, rows: Array, batch_size: int
) -> Iterator[tuple[Array, torch.Tensor]]:
    """Rows (B,) and their images (B, H, W, 3) uint8, in the order of `rows`; no randomness. A
    thread makes each batch while the one before is used.

    Images that keep their own size come one by one. Bags come whole, (B, n, H, W, 3), several of
    one size together where that is no more than `batch_size` images.
    """
    store = plain(images)
    rows = np.asarray(rows, dtype=np.int64)
    bags = isinstance(store, BagImages)
    alone = bags or getattr(store, "own_size", False)
    step = 1 if alone else batch_size

    def make(work: tuple[Array, Array | None]) -> tuple[Array, torch.Tensor]:
        some, buffer = work
        if buffer is not None:
            pixels = gather(store, some, buffer)
        else:
            pixels = store.take(some) if bags else np.asarray(store[int(some[0])])[None]
        return some, torch.from_numpy(pixels)

    # Memory that a thread allocates is returned to the system each time, so it is allocated here
    parts: Iterable[Array] = (rows[start : start + step] for start in range(0, len(rows), step))
    if isinstance(store, BagImages):
        parts = alike(store, rows, batch_size)
    work = (
        (some, None if alone else np.empty((len(some), *store.shape[1:]), np.uint8))
        for some in parts
    )
    return read_ahead(make, work, threads=1, waiting=1)
