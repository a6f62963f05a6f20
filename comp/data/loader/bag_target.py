"""Bags of images in training: some images of each bag are seen at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from comp.data.cache.bag_store import BagImages
from comp.data.loader.recipes import Recipe
from comp.data.loader.targets import Batch, Seed

Array = np.ndarray[Any, Any]


def _even(count: int, size: int, draw: np.random.Generator) -> Array:
    """Evenly spaced places, from a random start; each comes before any comes twice as often."""
    return np.asarray((np.arange(size) + draw.random()) * count / size).astype(np.int64)


def _random(count: int, size: int, draw: np.random.Generator) -> Array:
    """Any places, none twice before each was taken, in their order."""
    rounds = [draw.permutation(count) for _ in range(-(-size // count))]
    return np.sort(np.concatenate(rounds)[:size])


def _window(count: int, size: int, draw: np.random.Generator) -> Array:
    """Consecutive places; of a bag that is smaller each, evenly repeated."""
    if count < size:
        return (2 * np.arange(size) + 1) * count // (2 * size)
    return np.arange(size) + int(draw.integers(count - size + 1))


# `image.bag_sample` -> images of the bag, how many are seen, generator -> their places, rising
SAMPLES: dict[str, Callable[[int, int, np.random.Generator], Array]] = {
    "even": _even,
    "random": _random,
    "window": _window,
}


@dataclass(frozen=True)
class BagSampling:
    """Which images of a bag training sees: `size` of them, by one of SAMPLES; `alike`: all with the
    same augmentation."""

    size: int
    sample: str
    alike: bool


class BagTarget:
    """Labels (N,) or (N, C) of bags, and the images that are seen of each."""

    changes_images = True
    spatial = False

    def __init__(self, labels: Array, sampling: BagSampling) -> None:
        self.labels, self.sampling = labels, sampling

    def read(self, rows: Array) -> torch.Tensor:
        """(B,) or (B, C)."""
        return torch.from_numpy(self.labels[rows])

    def look(self, images: BagImages, row: int, seed: Seed) -> Array:
        """(size, H, W, 3): the images of a bag that are seen at this position of an epoch."""
        choose, size = SAMPLES[self.sampling.sample], self.sampling.size
        places = choose(images.size(row), size, np.random.default_rng(seed("bag")))
        return images.some(row, places)

    def augment(self, image: Array, row: int, recipe: Recipe, seed: Seed) -> tuple[Array, Array]:
        """The images of a bag, each changed by draws of its own, or all by the same."""
        own = seed("augment")
        seeds = [own] * len(image)
        if not self.sampling.alike:
            seeds = [seed(f"augment {place}") for place in range(len(image))]
        pairs = zip(image, seeds, strict=True)
        return np.stack([recipe(one, number) for one, number in pairs]), self.labels[row]

    def buffer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], self.sampling.size, *shape[1:]

    def collate(self, pairs: Iterable[tuple[Array, Array]], buffer: Array | None) -> Batch:
        """Images (B, size, H, W, 3) uint8 in the buffer; labels (B,) or (B, C)."""
        assert buffer is not None, "the images of bags are all of one size"
        labels = np.empty((len(buffer), *self.labels.shape[1:]), dtype=self.labels.dtype)
        for place, (images, label) in enumerate(pairs):
            buffer[place], labels[place] = images, label
        return torch.from_numpy(buffer), torch.from_numpy(labels)
