"""Deciding and counting maps where they are: on the device that the network runs on.

The same numbers as `Task.decide` with the neutral rule and `comp.tasks.counts.count_pixels`; only
the counts then cross to the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comp.tasks.counts import IGNORED

if TYPE_CHECKING:
    from torch import Tensor


def decided(probs: Tensor, *, normalized: bool) -> Tensor:
    """(B, L, H, W) uint8: the class of each pixel, L = 1, or zeros and ones of each layer.

    probs: (B, C, H, W). normalized: whether each pixel has one class.
    """
    import torch

    if normalized:
        return probs.argmax(dim=1, keepdim=True).to(torch.uint8)
    return (probs >= 0.5).to(torch.uint8)


def count_maps(truth: Tensor, labels: Tensor, columns: int) -> Tensor:
    """(B, C, 4) int64 tp, fp, fn, tn of each image. truth, labels: (B, L, H, W) uint8 on one
    device, see `comp.tasks.counts.count_pixels`. Nothing is waited for."""
    import torch

    judged = truth != IGNORED
    classes = truth.shape[1] == 1 and columns > 1
    found = []
    for column in range(columns):
        layer, value = (0, column) if classes else (column, 1)
        yes = (truth[:, layer] == value) & judged[:, layer]
        said = (labels[:, layer] == value) & judged[:, layer]
        pairs = (yes & said, said & ~yes, yes & ~said, judged[:, layer])
        tp, fp, fn, whole = (part.flatten(1).sum(dim=1) for part in pairs)
        found.append(torch.stack([tp, fp, fn, whole - tp - fp - fn], dim=1))
    return torch.stack(found, dim=1)
