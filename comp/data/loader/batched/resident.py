"""Images that stay in the memory of the device: a step then sends row numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from comp.data.cache.store import Images, gather

Array = np.ndarray[Any, Any]

_AT_ONCE = 256  # images that are copied at once


class Resident:
    """All images of a pack on a device: `images` (N, S, S, 3) uint8."""

    def __init__(self, images: Images, device: torch.device) -> None:
        self.images = torch.empty(tuple(images.shape), dtype=torch.uint8, device=device)
        for start in range(0, len(images), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(images)))
            self.images[start : start + len(rows)] = torch.from_numpy(gather(images, rows))

    def release(self) -> None:
        """Give the memory back; there are no images then."""
        self.images = self.images.new_empty(0)

    @property
    def released(self) -> bool:
        """Whether it was given back."""
        return self.images.ndim == 1

    def take(self, rows: Tensor) -> Tensor:
        """(n, S, S, 3) uint8, a copy. rows: (n,) int64 on the device."""
        return self.images.index_select(0, rows)


def size_of(images: Images) -> int:
    """The bytes of all images."""
    return int(np.prod(images.shape))
