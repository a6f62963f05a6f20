"""Geometry of whole batches: flips, and warps by a matrix for each image, of images and masks.

What a warp uncovers is the mirror image, about the middle of the outermost pixels, as with
OpenCV's BORDER_REFLECT_101.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

_TIE = 1e-3  # of a pixel: nearest neighbours round half up, as OpenCV does


def across(images: Tensor, _: Tensor) -> Tensor:
    """Left to right: (n, H, W, C)."""
    return images.flip(2)


def down(images: Tensor, _: Tensor) -> Tensor:
    """Upside down: (n, H, W, C)."""
    return images.flip(1)


def warp(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8, linearly interpolated. numbers: (n, 9) the matrix that leads from a
    place of the result to one of the image: columns, rows, 1."""
    places = _places(images, numbers)
    pixels = images.permute(0, 3, 1, 2).float()
    out = grid_sample(
        pixels, places, mode="bilinear", padding_mode="reflection", align_corners=True
    )
    return out.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def warp_masks(masks: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, L) uint8, the nearest neighbours of the same places."""
    places = _places(masks, numbers, _TIE)
    layers = masks.permute(0, 3, 1, 2).float()
    out = grid_sample(layers, places, mode="nearest", padding_mode="reflection", align_corners=True)
    return out.to(torch.uint8).permute(0, 2, 3, 1)


def _places(images: Tensor, numbers: Tensor, beyond: float = 0.0) -> Tensor:
    """(n, H, W, 2) where each pixel of the result comes from; -1 and 1 are the middles of the
    outermost pixels."""
    height, width = images.shape[1:3]
    matrix = numbers.view(-1, 3, 3, 1, 1)
    column = torch.arange(width, dtype=torch.float32, device=images.device).view(1, 1, -1)
    row = torch.arange(height, dtype=torch.float32, device=images.device).view(1, -1, 1)
    x, y, one = (
        matrix[:, n, 0] * column + matrix[:, n, 1] * row + matrix[:, n, 2] for n in (0, 1, 2)
    )
    spans = max(width - 1, 1), max(height - 1, 1)
    pair = [((v / one + beyond) * (2 / span) - 1) for v, span in zip((x, y), spans, strict=True)]
    return torch.stack(pair, dim=-1)
