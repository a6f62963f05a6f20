"""Blur, noise and holes of whole batches.

Kernels are applied tap by tap: each image then has the same bytes whatever else is in its batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from comp.data.loader.noise import FACTORS, MEAN, SCALE, SHIFTS, STEP

_BITS = 0xFFFFFFFF


def blur(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, k) a kernel for rows and columns, k odd."""
    side = numbers.shape[1]
    taps = numbers.view(-1, side, 1, 1, 1)
    out = _bordered(images, side)
    height, width = images.shape[1:3]
    out = _sum(out[:, :, n : n + width] * taps[:, n] for n in range(side))
    out = _sum(out[:, n : n + height] * taps[:, n] for n in range(side))
    return out.round_().clamp_(0, 255).to(torch.uint8)


def filtered(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, k * k) a kernel, k odd."""
    side = math.isqrt(numbers.shape[1])
    taps = numbers.view(-1, side * side, 1, 1, 1)
    whole = _bordered(images, side)
    height, width = images.shape[1:3]
    out = _sum(
        whole[:, n // side : n // side + height, n % side : n % side + width] * taps[:, n]
        for n in range(side * side)
    )
    return out.round_().clamp_(0, 255).to(torch.uint8)


def _sum(parts: object) -> Tensor:
    total: Tensor | None = None
    for part in parts:  # type: ignore[attr-defined]
        total = part if total is None else total.add_(part)
    assert total is not None, "a kernel has one tap at least"
    return total


def _bordered(images: Tensor, side: int) -> Tensor:
    """In float, with the mirror image around it that a kernel of `side` needs."""
    border = side // 2
    pixels = images.permute(0, 3, 1, 2).float()
    while border:  # the mirror image of a small image is mirrored again
        step = min(border, min(pixels.shape[-2:]) - 1)
        pixels, border = pad(pixels, (step, step, step, step), mode="reflect"), border - step
    return pixels.permute(0, 2, 3, 1)


def noise(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, 2) standard deviation in levels, number of the pattern: see
    `comp.data.loader.noise`."""
    sigma, pattern = numbers.unbind(1)
    start = (pattern.long() * STEP).bitwise_and_(_BITS).view(-1, 1)
    found = torch.arange(images[0].numel(), device=images.device).view(1, -1)
    found = (found + start).bitwise_and_(_BITS)
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        found = (found ^ (found >> shift)).mul_(factor).bitwise_and_(_BITS)
    found = found ^ (found >> SHIFTS[-1])
    total = _sum((found >> 8 * n).bitwise_and_(255) for n in range(4)).float()
    values = ((total - MEAN) * (1 / SCALE)).view(images.shape)
    out = images + sigma.view(-1, 1, 1, 1) * values
    return out.round_().clamp_(0, 255).to(torch.uint8)


def holes(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, 1 + 4 m) the level that fills m boxes, then left, top,
    right, bottom of each; empty boxes are none."""
    height, width = images.shape[1:3]
    left, top, right, bottom = numbers[:, 1:].view(len(numbers), -1, 4, 1, 1).unbind(2)
    row = torch.arange(height, device=images.device).view(1, 1, -1, 1)
    column = torch.arange(width, device=images.device).view(1, 1, 1, -1)
    inside = ((row >= top) & (row < bottom) & (column >= left) & (column < right)).any(dim=1)
    fill = numbers[:, 0].to(torch.uint8).view(-1, 1, 1, 1)
    return torch.where(inside.unsqueeze(-1), fill, images)
