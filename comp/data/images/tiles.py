"""Seeing a large image through overlapping tiles (`image.resize: tiles`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def windows(length: int, side: int, overlap: float) -> list[int]:
    """Where tiles of `side` pixels begin, evenly spread over `length`; each overlaps the next by
    the share `overlap` at least. [0] where one tile is enough."""
    if length <= side:
        return [0]
    step = max(1, int(side * (1 - overlap)))
    count = 1 + -(-(length - side) // step)
    return [round(place) for place in np.linspace(0, length - side, count)]


AT_ONCE = 8  # tiles that go through the network together


def stitched(
    logits: Callable[[Tensor], Tensor], images: Tensor, side: int, overlap: float
) -> Tensor:
    """(B, C, H, W) logits of images (B, 3, H, W), from tiles of `side` that overlap; `logits` gets
    AT_ONCE of them at most, or one of each image.

    Where tiles overlap, their weighted mean: a tile counts less towards its border, where it sees
    less context (as in nnU-Net; Isensee et al. 2021).
    """
    import torch

    height, width = images.shape[-2:]
    tall, wide = min(side, height), min(side, width)
    weight = _weight(tall, wide, images.device)
    total, weights = None, torch.zeros(height, width, device=images.device)
    corners = [
        (y, x) for y in windows(height, side, overlap) for x in windows(width, side, overlap)
    ]
    step = max(1, AT_ONCE // len(images))
    for start in range(0, len(corners), step):
        places = [np.s_[..., y : y + tall, x : x + wide] for y, x in corners[start : start + step]]
        parts = logits(torch.cat([images[place] for place in places])).float()
        if total is None:
            total = parts.new_zeros((len(images), parts.shape[1], height, width))
        for place, part in zip(places, parts.split(len(images)), strict=True):
            total[place] += part * weight
            weights[place] += weight
    assert total is not None, "there is one window at least"
    return total / weights


def gaussian(length: int) -> np.ndarray[Any, Any]:
    """(length,) float32 weights that fall from 1 in the middle by a normal distribution whose
    deviation is an eighth of the length (as in nnU-Net; Isensee et al. 2021); never zero."""
    places = np.arange(length) - (length - 1) / 2
    weights = np.exp(-0.5 * (places / (length / 8)) ** 2)
    return np.asarray(np.maximum(weights / weights.max(), 1e-4), dtype=np.float32)


@functools.lru_cache(maxsize=16)
def _weight(height: int, width: int, device: torch.device) -> Tensor:
    """(height, width) how much each pixel of a tile counts, on the device once."""
    import torch

    with torch.inference_mode(False):
        return torch.outer(_tent(height), _tent(width)).to(device)


def _tent(length: int) -> Tensor:
    """Weights (length,) that rise from the border to the middle; never zero."""
    import torch

    ramp = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / length
