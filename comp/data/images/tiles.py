"""Seeing a large image through overlapping tiles (`image.resize: tiles`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def windows(length: int, side: int, overlap: float) -> list[int]:
    """Where tiles of `side` pixels begin, evenly spread over `length`; each overlaps the next by
    the share `overlap` at least. [0] where one tile is enough."""
    if length <= side:
        return [0]
    step = max(1, int(side * (1 - overlap)))
    count = 1 + -(-(length - side) // step)
    return [round(place) for place in np.linspace(0, length - side, count)]


def stitched(
    logits: Callable[[Tensor], Tensor], images: Tensor, side: int, overlap: float
) -> Tensor:
    """(B, C, H, W) logits of images (B, 3, H, W), from tiles of `side` that overlap.

    Where tiles overlap, their weighted mean: a tile counts less towards its border, where it sees
    less context (as in nnU-Net; Isensee et al. 2021).
    """
    import torch

    height, width = images.shape[-2:]
    tall, wide = min(side, height), min(side, width)
    weight = torch.outer(_tent(tall), _tent(wide)).to(images.device)
    total, weights = None, torch.zeros(height, width, device=images.device)
    for top in windows(height, side, overlap):
        for left in windows(width, side, overlap):
            place = np.s_[..., top : top + tall, left : left + wide]
            part = logits(images[place]).float()
            if total is None:
                total = part.new_zeros((*part.shape[:2], height, width))
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


def _tent(length: int) -> Tensor:
    """Weights (length,) that rise from the border to the middle; never zero."""
    import torch

    ramp = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / length
