"""Noise that two backends agree on: the value at each place is a function of a seed and the place.

OpenCV and torch have generators of their own; a hash of the place is the same everywhere, on every
device, and needs no memory.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # its import would ask the network for a new version
import albumentations as A

Array = np.ndarray[Any, Any]

SEEDS = 2**16  # how many patterns of noise there are
# Each value is the sum of four bytes of a hash: a bell that ends at 3.46 standard deviations
MEAN, SCALE = 510.0, float(np.sqrt(4 * (256**2 - 1) / 12))
# The finalizer of a 32-bit hash (C. Wellons, hash-prospector: lowbias32)
FACTORS, SHIFTS = (0x7FEB352D, 0x846CA68B), (16, 15, 16)
STEP = 0x9E3779B1  # between the seeds


class Noise(A.ImageOnlyTransform):  # type: ignore[misc]
    """Noise of standard deviation `std_range`, a share of 255, drawn for each value on its own.

    It draws as `A.GaussNoise` does: the draws of the transforms after it are the same.
    """

    def __init__(self, std_range: tuple[float, float], p: float = 0.5) -> None:
        super().__init__(p=p)
        self.std_range = std_range

    def get_params(self) -> dict[str, float]:
        """Standard deviation in levels, and the number of the pattern."""
        sigma = 255 * self.py_random.uniform(*self.std_range)
        self.py_random.random()  # the mean of GaussNoise, which is zero
        return {"sigma": sigma, "pattern": int(self.random_generator.integers(0, SEEDS))}

    def apply(self, img: Array, sigma: float, pattern: int, **params: Any) -> Array:
        """The image (H, W, C) uint8, or float in [0, 1], with the noise."""
        noise = noise_of(pattern, img.size).reshape(img.shape)
        if img.dtype != np.uint8:
            return np.asarray((img + np.float32(sigma / 255) * noise).clip(0, 1), dtype=img.dtype)
        return np.asarray((img + np.float32(sigma) * noise).round().clip(0, 255), dtype=np.uint8)


def noise_of(pattern: int, count: int) -> Array:
    """(count,) float32 with mean 0 and deviation 1."""
    found = np.arange(count, dtype=np.uint32)
    found += np.uint32((pattern * STEP) % 2**32)
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        found ^= found >> np.uint32(shift)
        found *= np.uint32(factor)
    found ^= found >> np.uint32(SHIFTS[-1])
    total = found.view(np.uint8).reshape(-1, 4).astype(np.float32).sum(axis=1)
    return np.asarray((total - np.float32(MEAN)) * np.float32(1 / SCALE))
