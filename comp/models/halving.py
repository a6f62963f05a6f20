"""Forward passes in parts that fit: when the memory of the device is full, half as many at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from comp.config.schema import Config
from comp.core.errors import ModelError
from comp.core.progress import say
from comp.models.device import is_oom


class Halving:
    """How many images go forward at once: `size` at first, half of it each time that memory is
    full. What it has learnt stays."""

    def __init__(self, size: int, what: str) -> None:
        self.size, self.what = size, what

    def __call__(self, forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """`forward(images)`, in parts of `size` images, joined again.

        Raises ModelError when not even one image fits.
        """
        while True:
            try:
                parts = [forward(part) for part in images.split(self.size)]
                return parts[0] if len(parts) == 1 else torch.cat(parts)
            except RuntimeError as problem:
                if not is_oom(problem):
                    raise
            self._halve(images)  # outside of the handler, which holds the tensors of the try

    def _halve(self, images: Tensor) -> None:
        most = min(self.size, len(images))
        if most == 1:
            height, width = images.shape[-2:]
            raise ModelError(
                f"{self.what}: the memory of the device is too small for one image of {height} x "
                f"{width} px. Use a smaller image.size or model.name, or free memory on the device."
            )
        self.size = math.ceil(most / 2)
        say(f"{self.what}: out of device memory; continuing with {self.size} images at a time")
        free_memory()


def images_at_once(config: Config) -> int:
    """How many images are predicted at once: `predict.batch_size`, or twice as many as a training
    batch has, those of its bags counted."""
    each = config.image.bag_size if config.data.bag is not None else 1
    return config.predict.batch_size or 2 * config.train.batch_size * each


def free_memory() -> None:
    """Give back what torch keeps on a CUDA device for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
