"""Batches of packed images with their targets: each a function of its keys and nothing else.

A key is (epoch, position, row): position is the place of an image in the order of its epoch. Every
draw follows from (seed, fold, epoch, position), so it does not matter which process makes a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from comp.core import rng
from comp.core.parallel import read_ahead
from comp.data.cache.bag_store import BagImages, alike
from comp.data.cache.store import Images, from_state, gather, in_memory, plain, to_state
from comp.data.loader.shelf import Shelf, torch_kind
from comp.data.loader.targets import Target

if TYPE_CHECKING:
    from comp.data.loader.batched.draws import Moves
    from comp.data.loader.recipes import Recipe

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Key = tuple[int, int, int]  # epoch, position, row of the pack


class Raw(NamedTuple):
    """What is prepared of a batch before a device sees it.

    `images`  (B, H, W, C) uint8 or uint16; none where `rows` says which of the device they are
    `target`  see `comp.data.loader.targets`
    `moves`   what the device does to it; None: nothing
    `rows`    (B,) int64, rows of images that lie on the device (`Resident`); None: see `images`
    """

    images: torch.Tensor
    target: torch.Tensor
    moves: Moves | None = None
    rows: torch.Tensor | None = None


class Batches:
    """A map-style torch dataset whose items are whole batches, indexed by a list of keys.

    batched: whether the recipe is left to the device: batches then hold images as they are stored,
    and the moves that it draws. stays: whether the images lie on the device already.
    """

    def __init__(
        self,
        images: Images,
        target: Target,
        recipe: Recipe,
        seed: int,
        fold: int,
        *,
        batched: bool = False,
        stays: bool = False,
    ) -> None:
        from comp.data.loader.batched.draws import Draws  # albumentations: not to predict
        from comp.data.loader.recipes import make_recipe

        self.draws = Draws(recipe) if batched and recipe.changes else None
        self.recipe = make_recipe("none", recipe.size, recipe.channels) if batched else recipe
        self.images, self.target, self.stays = images, target, stays
        self.seed, self.fold = seed, fold
        self._plain = plain(images)

    @property
    def copies(self) -> bool:
        """Whether the images of a batch are copies of stored ones, without any work on them."""
        return not (self.recipe.changes or self.target.changes_images)

    @property
    def by_thread(self) -> bool:
        """Whether the images of a batch are copied from memory, which a thread does faster than
        another process could hand them over."""
        return self.copies and (self.stays or in_memory(self.images))

    @property
    def kind(self) -> np.dtype[Any]:
        """Of the pixels: uint8 or uint16."""
        kind: np.dtype[Any] = np.dtype(self._plain.dtype)
        return kind

    def buffer(self, count: int) -> Shape | None:
        """The shape of the images of a batch; None where it is not known, or none are needed."""
        if self.stays:
            return None
        shape = (count, *self._plain.shape[1:])
        return shape if self.copies else self.target.buffer(shape)

    def make(self, keys: list[Key], buffer: torch.Tensor | None) -> Raw:
        """The batch of these keys, its images in the buffer where there is one."""
        return self.pixels(keys, buffer)._replace(moves=self.moves(keys))

    def pixels(self, keys: list[Key], buffer: torch.Tensor | None) -> Raw:
        """The same without its moves."""
        space = None if buffer is None else buffer.numpy()
        if not self.copies:
            images, target = self.target.collate((self._one(*key) for key in keys), space)
            return Raw(images if buffer is None else buffer, target)
        rows = np.array([row for _, _, row in keys], dtype=np.int64)
        target = self.target.read(rows)
        if self.stays:
            none = torch.empty(0, dtype=torch_kind(self.kind))
            return Raw(none, target, None, torch.from_numpy(rows))
        copied = gather(self._plain, rows, space)
        return Raw(torch.from_numpy(copied) if buffer is None else buffer, target)

    def moves(self, keys: list[Key]) -> Moves | None:
        """What the device is to do; None where it does nothing."""
        if self.draws is None:
            return None
        return self.draws([self._seed(epoch, place, "augment") for epoch, place, _ in keys])

    def __getitem__(self, keys: list[Key]) -> Raw:
        shape = self.buffer(len(keys))
        kind = torch_kind(self.kind)
        return self.make(keys, None if shape is None else torch.empty(shape, dtype=kind))

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


class MovesOnly:
    """The moves of batches alone, as a torch dataset: what processes draw while a thread copies."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, keys: list[Key]) -> Moves:
        found = self.batches.moves(keys)
        assert found is not None, "only recipes that change something draw"
        return found


def row_parts(images: Images, rows: Array, batch_size: int) -> list[Array]:
    """The rows of each batch of `eval_batches`: images that keep their own size come one by one,
    bags with others of their size."""
    rows = np.asarray(rows, dtype=np.int64)
    if isinstance(plain(images), BagImages):
        return list(alike(plain(images), rows, batch_size))
    step = 1 if getattr(images, "own_size", False) else batch_size
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def eval_batches(
    images: Images, rows: Array, batch_size: int
) -> Iterator[tuple[Array, torch.Tensor]]:
    """Rows (B,) and their images (B, H, W, C), in the order of `rows`; no randomness. A
    thread makes each batch while the one before is used.

    Images that keep their own size come one by one. Bags come whole, (B, n, H, W, 3), several of
    one size together where that is no more than `batch_size` images.
    """
    store = plain(images)
    bags = isinstance(store, BagImages)
    alone = bags or getattr(store, "own_size", False)

    def make(work: tuple[Array, torch.Tensor | None]) -> tuple[Array, torch.Tensor]:
        some, buffer = work
        if buffer is None:
            pixels = store.take(some) if bags else np.asarray(store[int(some[0])])[None]
            return some, torch.from_numpy(pixels)
        gather(store, some, buffer.numpy())
        return some, buffer

    # Memory that a thread allocates is returned to the system each time, so it is allocated here
    shelf = Shelf(pinned=torch.cuda.is_available())
    work = (
        (some, None if alone else shelf.take((len(some), *store.shape[1:]), store.dtype))
        for some in row_parts(store, rows, batch_size)
    )
    return read_ahead(make, work, threads=1, waiting=1)
