"""Many small tensors in a few calls: buffers that can be put back, and the moving average.

A network has hundreds of small tensors; a call for each of them each step keeps the CPU busier than
the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn


class Buffers:
    """The buffers of a network (statistics of batch norms), and their last two states."""

    def __init__(self, module: nn.Module) -> None:
        self.live = [*module.buffers()]
        self._kept = [[buffer.clone() for buffer in self.live] for _ in range(2)]

    def keep(self) -> list[Tensor]:
        """A copy of the buffers as they are now; it stays as it is until the next call but one."""
        self._kept.reverse()
        copy_all(self._kept[0], self.live)
        return self._kept[0]

    def restore(self, kept: Sequence[Tensor]) -> None:
        """Put a copy that `keep` made back."""
        copy_all(self.live, kept)


class Average:
    """The moving average of a network (`train.ema`), with timm's decay: as its own `update`, over
    lists that are made once."""

    def __init__(self, ema: ModelEmaV3, module: nn.Module) -> None:
        self.ema = ema
        average = ema.module.state_dict(keep_vars=True)
        saved = module.state_dict(keep_vars=True).keys()
        self._weights: list[Tensor] = [*module.parameters()]
        self._averages = [average[name] for name, _ in module.named_parameters()]
        buffers = [name for name, _ in module.named_buffers()]
        self._places = [place for place, name in enumerate(buffers) if name in saved]
        self._average_buffers = [average[buffers[place]] for place in self._places]

    @torch.no_grad()
    def update(self, updates: int, buffers: Sequence[Tensor]) -> None:
        """After `updates` updates. buffers: those of the network then, in their order."""
        weight = 1 - self.ema.get_decay(updates)
        torch._foreach_lerp_(self._averages, self._weights, weight)
        pairs = [
            (mean, buffers[place])
            for mean, place in zip(self._average_buffers, self._places, strict=True)
        ]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        others = [pair for pair in pairs if not pair[0].is_floating_point()]
        if floats:
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
        copy_all([a for a, _ in others], [b for _, b in others])


@torch.no_grad()
def copy_all(into: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    """Copy tensors, one call for each type."""
    for kind in {tensor.dtype for tensor in into}:
        places = [place for place, tensor in enumerate(into) if tensor.dtype == kind]
        torch._foreach_copy_([into[p] for p in places], [source[p] for p in places])


def tensor_bytes(value: Any) -> int:
    """Bytes of all tensors in nested dicts, lists and tuples."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(tensor_bytes(item) for item in value.values())
    return sum(tensor_bytes(item) for item in value) if isinstance(value, (list, tuple)) else 0
