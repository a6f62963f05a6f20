"""What a training batch holds beside its images: labels, or masks.

`LabelTarget`, `MaskTarget` and `comp.data.loader.bag_target.BagTarget` implement `Target`;
`comp.data.loader.batches` knows nothing else about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from comp.data.cache.mask_store import MaskStore, PackedMasks
from comp.data.cache.store import Images
from comp.data.loader.cutpaste import CutPaste
from comp.tasks.counts import IGNORED

if TYPE_CHECKING:
    from comp.data.loader.recipes import Recipe

Array = np.ndarray[Any, Any]
Batch = tuple[torch.Tensor, torch.Tensor]
Seed = Callable[[str], int]  # purpose -> the seed of its draws, for one position of an epoch


class Target(Protocol):
    """The targets of an index, and how they follow their images through augmentation.

    `spatial`: whether they move with their images.
    """

    spatial: bool

    @property
    def changes_images(self) -> bool:
        """Whether an image may change even where the recipe changes nothing."""

    def read(self, rows: Array) -> torch.Tensor:
        """The targets of some rows as they are stored, in a batch."""

    def look(self, images: Images, row: int, seed: Seed) -> Array:
        """The image (H, W, C) of a row; of a bag the images that are seen of it."""

    def augment(self, image: Array, row: int, recipe: Recipe, seed: Seed) -> tuple[Array, Array]:
        """What `look` gave and its target, as training sees them."""

    def buffer(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of the images of a batch; None where it is not yet known."""

    def collate(self, pairs: Iterable[tuple[Array, Array]], buffer: Array | None) -> Batch:
        """A batch of pairs that `augment` gave, its images in the buffer where there is one."""


class LabelTarget:
    """Labels (N,) or (N, C) int64. Augmentation leaves them as they are; CutPaste changes some."""

    spatial = False

    def __init__(self, labels: Array, paste: CutPaste | None = None) -> None:
        self.labels, self.paste = labels, paste

    @property
    def changes_images(self) -> bool:
        return self.paste is not None

    def read(self, rows: Array) -> torch.Tensor:
        """(B,) or (B, C)."""
        return torch.from_numpy(self.labels[rows])

    def look(self, images: Images, row: int, seed: Seed) -> Array:
        return np.asarray(images[row])

    def augment(self, image: Array, row: int, recipe: Recipe, seed: Seed) -> tuple[Array, Array]:
        label = self.labels[row]
        if self.paste is not None:
            image, label = self.paste(image, label, row, seed("cutpaste"))
        return recipe(image, seed("augment")), label

    def buffer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def collate(self, pairs: Iterable[tuple[Array, Array]], buffer: Array | None) -> Batch:
        """Images (B, H, W, C) in the buffer; labels (B,) or (B, C)."""
        assert buffer is not None, "the images of labels are all of one size"
        labels = np.empty((len(buffer), *self.labels.shape[1:]), dtype=self.labels.dtype)
        for place, (image, label) in enumerate(pairs):
            buffer[place], labels[place] = image, label
        return torch.from_numpy(buffer), torch.from_numpy(labels)


class MaskTarget:
    """Masks, moved with their images.

    side: None, or that of the windows that are cut out of images of their own size; smaller
    images are padded to it. A batch of images of several sizes is padded to the largest: images
    with their mirror image, masks with pixels that are ignored.
    """

    spatial = True

    def __init__(self, masks: MaskStore, side: int | None = None) -> None:
        self.masks, self.side = masks, side

    @property
    def changes_images(self) -> bool:
        """Windows are cut, and images of several sizes are padded; packed ones are of one size."""
        return self.side is not None or not isinstance(self.masks, PackedMasks)

    def read(self, rows: Array) -> torch.Tensor:
        """(B, L, H, W) uint8; the rows must be of one size."""
        return _layers_first(np.stack([self.masks[int(row)] for row in rows]))

    def look(self, images: Images, row: int, seed: Seed) -> Array:
        return np.asarray(images[row])

    def augment(self, image: Array, row: int, recipe: Recipe, seed: Seed) -> tuple[Array, Array]:
        mask = self.masks[row]
        if self.side is not None:
            image, mask = _window(image, mask, self.side, np.random.default_rng(seed("window")))
        return recipe.with_mask(image, mask, seed("augment"))

    def buffer(self, shape: tuple[int, ...]) -> None:
        """None: how large a batch gets is known when it is made."""

    def collate(self, pairs: Iterable[tuple[Array, Array]], buffer: Array | None) -> Batch:
        """Images (B, H, W, C), and masks (B, L, H, W) uint8."""
        pairs = list(pairs)
        height = max(image.shape[0] for image, _ in pairs)
        width = max(image.shape[1] for image, _ in pairs)
        images = np.stack([mirrored(image, height, width) for image, _ in pairs])
        masks = np.stack([padded(mask, height, width) for _, mask in pairs])
        return torch.from_numpy(images), _layers_first(masks)


def _layers_first(masks: Array) -> torch.Tensor:
    return torch.from_numpy(masks).permute(0, 3, 1, 2).contiguous()


def _window(image: Array, mask: Array, side: int, draw: np.random.Generator) -> tuple[Array, Array]:
    """A square somewhere in the image, and the same one of its mask."""
    height, width = image.shape[:2]
    top = int(draw.integers(max(0, height - side) + 1))
    left = int(draw.integers(max(0, width - side) + 1))
    box = np.s_[top : top + side, left : left + side]
    return mirrored(image[box], side, side), padded(mask[box], side, side)


def mirrored(image: Array, height: int, width: int) -> Array:
    """The image (H, W, C) in the upper left corner of (height, width, C); the rest is its mirror
    image, repeated where it is small."""
    below, beside = height - image.shape[0], width - image.shape[1]
    if not below and not beside:
        return image
    return np.pad(image, ((0, below), (0, beside), (0, 0)), mode="symmetric")


def padded(mask: Array, height: int, width: int) -> Array:
    """The mask in the upper left corner of (height, width, L); the rest is ignored."""
    below, beside = height - mask.shape[0], width - mask.shape[1]
    if not below and not beside:
        return mask
    return np.pad(mask, ((0, below), (0, beside), (0, 0)), constant_values=IGNORED)
