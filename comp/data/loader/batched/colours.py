"""Colours of whole batches: contrast and brightness, hue and saturation, with OpenCV's rounding."""

from __future__ import annotations

import torch
from torch import Tensor

_ONE = 4096


def contrast(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, 3) a factor, a summand as a share of the mean of the image,
    a summand in levels."""
    total = images.flatten(1).sum(dim=1, dtype=torch.int64)  # whole numbers add up in any order
    count = images[0].numel()
    whole = total // count  # without float64, which MPS has not
    mean = whole.float() + (total - whole * count).float() / count
    factor, share, level = numbers.unbind(1)
    summand = (share * mean + level).view(-1, 1, 1, 1)
    out = images.float().mul_(factor.view(-1, 1, 1, 1)).add_(summand)
    return out.clamp_(0, 255).to(torch.uint8)  # cuts fractions off, as albumentations does


def hue(images: Tensor, numbers: Tensor) -> Tensor:
    """(n, H, W, 3) uint8. numbers: (n, 3) what is added to hue (of 180), saturation and value (of
    255). Grey pixels stay grey."""
    hues, saturation, value = _to_hsv(images)
    shift, more, lighter = numbers.view(-1, 3, 1, 1).unbind(1)  # albumentations cuts fractions off
    hues = torch.remainder(hues + shift, 180).floor_()
    grey = saturation == 0
    saturation = (saturation + more.trunc()).clamp_(0, 255).masked_fill_(grey, 0)
    value = (value + lighter.trunc()).clamp_(0, 255)
    return _to_rgb(hues, saturation, value)


def _to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in 0..179, saturation and value in 0..255, whole numbers in float: (n, H, W) each."""
    red, green, blue = images.float().unbind(-1)
    value = torch.maximum(torch.maximum(red, green), blue)
    spread = value - torch.minimum(torch.minimum(red, green), blue)
    saturation = _divided(spread, 255 * _ONE / value.clamp_min(1))
    sector = torch.where(
        value == red,
        green - blue,
        torch.where(value == green, blue - red + 2 * spread, red - green + 4 * spread),
    )
    hues = _divided(sector, 30 * _ONE / spread.clamp_min(1))
    return torch.where(hues < 0, hues + 180, hues), saturation, value


def _divided(above: Tensor, factor: Tensor) -> Tensor:
    """`above` times a factor in 4096ths, as OpenCV's tables have it; exact in float."""
    return (above * factor.round_() + _ONE / 2).div_(_ONE).floor_()


def _to_rgb(hues: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(n, H, W, 3) uint8; each channel is the value less a share of it (A. R. Smith 1978)."""
    sixths = hues / 30
    chroma = value * saturation / 255
    channels = []
    for turn in (5, 3, 1):  # red, green, blue
        place = torch.remainder(sixths + turn, 6)
        share = torch.minimum(place, 4 - place).clamp_(0, 1)
        channels.append(value - chroma * share)
    return torch.stack(channels, dim=-1).clamp_(0, 255).to(torch.uint8)
