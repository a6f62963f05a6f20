"""Which image sizes a network can take, found without computing anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

_STEPS = (14, 16)  # patches and strides of common networks; 28, 32 and 224 are among them
_TRIES = 8  # sizes on either side
_SMALLEST, _LARGEST = 8, 4096  # as `image.size` allows


def takes(build: Callable[[int], nn.Module], size: int, channels: int = 3) -> bool:
    """Whether the network that `build` makes for images of `size` px can be trained on two.

    It is built and run on torch's meta device, where tensors have a shape and no content.
    """
    try:
        with torch.device("meta"):
            module = build(size).train()
            module(torch.zeros(2, channels, size, size))
    except Exception:  # whatever a network raises
        return False
    return True


def nearest_sizes(build: Callable[[int], nn.Module], size: int, channels: int = 3) -> list[int]:
    """The nearest smaller and the nearest larger size that the network takes, where there are."""
    multiples = {step * n for step in _STEPS for n in range(1, _LARGEST // step + 1)}
    known = sorted(m for m in multiples if m >= _SMALLEST)
    below = [m for m in reversed(known) if m < size][:_TRIES]
    above = [m for m in known if m > size][:_TRIES]
    found = (next((m for m in side if takes(build, m, channels)), None) for side in (below, above))
    return [m for m in found if m is not None]


def advice(build: Callable[[int], nn.Module], size: int, channels: int = 3) -> str:
    """What to do about a size that a network cannot take, to end a message with."""
    sizes = " and ".join(map(str, nearest_sizes(build, size, channels)))
    return (
        f"Sizes near it that work: {sizes} (image.size)."
        if sizes
        else "No size near it works; use another network (model.name)."
    )
