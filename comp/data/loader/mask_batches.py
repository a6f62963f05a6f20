"""Batches of images with their masks, and of images that keep their own size.

What `comp.data.loader.loader` promises holds here too: an image, its window and its augmentation
are a function of (seed, fold, epoch, position).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from comp.core import rng
from comp.data.cache.store import Images, from_state, plain, to_state
from comp.data.index.masks import Masks
from comp.data.loader.recipes import Recipe
from comp.tasks.counts import IGNORED

Array = np.ndarray[Any, Any]
Key = tuple[int, int, int]  # epoch, position, row


class Regions(Protocol):
    """The masks of an index: (H, W, L) uint8 of a row, as large as its image is stored."""

    @property
    def layers(self) -> int:
        """L."""

    def __getitem__(self, row: int) -> Array: ...


class PackedRegions:
    """Masks (N, S, S, L) uint8 of a pack, for images that are packed at that size."""

    def __init__(self, masks: Array) -> None:
        self.masks, self.layers = masks, int(masks.shape[-1])
        self._plain = plain(masks)

    def __getitem__(self, row: int) -> Array:
        return np.asarray(self._plain[int(row)])

    def __getstate__(self) -> Any:
        return to_state(self.masks)

    def __setstate__(self, state: Any) -> None:
        self.__init__(from_state(state))  # type: ignore[misc]


class OwnRegions:
    """Masks at the size of their images, made when asked for."""

    def __init__(self, truth: Masks) -> None:
        self.truth, self.layers = truth, truth.layers

    def __getitem__(self, row: int) -> Array:
        return self.truth.read(int(row))


class MaskBatches:
    """A map-style torch dataset whose items are batches: images (B, H, W, 3) and masks
    (B, L, H, W), uint8.

    side: None, or that of the windows that are cut out of images of their own size; smaller
    images are padded to it. A batch of images of several sizes is padded to the largest: with the
    mirror image, and with pixels that are not judged.
    """

    def __init__(
        self,
        images: Images,
        regions: Regions,
        recipe: Recipe,
        seed: int,
        fold: int,
        side: int | None = None,
    ) -> None:
        self.images, self.regions, self.recipe = images, regions, recipe
        self.seed, self.fold, self.side = seed, fold, side
        self._plain = plain(images)

    def room(self, count: int) -> None:
        """Nothing: how large a batch gets is known when it is made."""

    def make(self, keys: list[Key], room: None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch of these keys."""
        pairs = [self._one(*key) for key in keys]
        tall = max(image.shape[0] for image, _ in pairs)
        wide = max(image.shape[1] for image, _ in pairs)
        images = np.stack([mirrored(image, tall, wide) for image, _ in pairs])
        masks = np.stack([padded(mask, tall, wide) for _, mask in pairs])
        return torch.from_numpy(images), torch.from_numpy(masks).permute(0, 3, 1, 2).contiguous()

    def __getitem__(self, keys: list[Key]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.make(keys)

    def _one(self, epoch: int, position: int, row: int) -> tuple[Array, Array]:
        image, mask = np.asarray(self._plain[row]), self.regions[row]
        if self.side is not None:
            seed = rng.derive(self.seed, "window", self.fold, epoch, position)
            image, mask = _window(image, mask, self.side, np.random.default_rng(seed))
        draw = rng.derive(self.seed, "augment", self.fold, epoch, position)
        return self.recipe.with_mask(image, mask, draw)

    def __getstate__(self) -> dict[str, Any]:
        """For workers that are spawned: they map the file again; pickle would copy all of it."""
        state = {name: value for name, value in self.__dict__.items() if name != "_plain"}
        return {**state, "images": to_state(self.images)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "images": from_state(state["images"])})
        self._plain = plain(self.images)


def _window(image: Array, mask: Array, side: int, draw: np.random.Generator) -> tuple[Array, Array]:
    """A square somewhere in the image, and in its mask."""
    height, width = image.shape[:2]
    top = int(draw.integers(max(0, height - side) + 1))
    left = int(draw.integers(max(0, width - side) + 1))
    box = np.s_[top : top + side, left : left + side]
    return mirrored(image[box], side, side), padded(mask[box], side, side)


def mirrored(image: Array, tall: int, wide: int) -> Array:
    """The image (H, W, 3) in the upper left corner of (tall, wide, 3); the rest is its mirror
    image, again and again where it is small."""
    down, across = tall - image.shape[0], wide - image.shape[1]
    if not down and not across:
        return image
    return np.pad(image, ((0, down), (0, across), (0, 0)), mode="symmetric")


def padded(mask: Array, tall: int, wide: int) -> Array:
    """The mask in the upper left corner of (tall, wide, L); the rest is not judged."""
    down, across = tall - mask.shape[0], wide - mask.shape[1]
    if not down and not across:
        return mask
    return np.pad(mask, ((0, down), (0, across), (0, 0)), constant_values=IGNORED)


def eval_regions(
    images: Images, regions: Regions, rows: Array, batch_size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images (B, H, W, 3) and masks (B, L, H, W) of `rows`, in that order, without randomness.

    A batch holds images of one size: of a pack `batch_size`, else one.
    """
    store = plain(images)
    step = batch_size if isinstance(regions, PackedRegions) else 1
    for start in range(0, len(rows), step):
        some = [int(row) for row in rows[start : start + step]]
        masks = np.stack([regions[row] for row in some])
        pixels = np.stack([np.asarray(store[row]) for row in some])
        yield torch.from_numpy(pixels), torch.from_numpy(masks).permute(0, 3, 1, 2).contiguous()
