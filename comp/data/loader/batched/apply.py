"""The moves of a batch, done: for the images that each is for, all at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from comp.data.loader.batched import colours, filters, warps
from comp.data.loader.batched.draws import Moves

Operation = Callable[[Tensor, Tensor], Tensor]

# name -> function of images (n, H, W, C) uint8 and their numbers (n, k) float32
OPERATIONS: dict[str, Operation] = {
    "across": warps.across,
    "down": warps.down,
    "warp": warps.warp,
    "contrast": colours.contrast,
    "hue": colours.hue,
    "blur": filters.blur,
    "filter": filters.filtered,
    "noise": filters.noise,
    "holes": filters.holes,
}
# those that move masks too
GEOMETRY: dict[str, Operation] = {
    "across": warps.across,
    "down": warps.down,
    "warp": warps.warp_masks,
}
# Images at once: an operation holds some ten floats for each of their values. On a card that is
# memory, elsewhere it should stay in the cache of a core: five times as fast as 64 at 331 px
_AT_ONCE = {"cuda": 64, "mps": 64}
_FEW = 2


@torch.no_grad()
def moved(images: Tensor, masks: Tensor | None, moves: Moves) -> tuple[Tensor, Tensor | None]:
    """The batch after its moves. images: (B, H, W, 3) uint8, which are changed in place; masks:
    None, or (B, L, H, W) uint8. Both on one device, with the values of the moves."""
    layers = None
    if masks is not None:  # a copy always: of one layer, `contiguous` would be the masks themselves
        layers = masks.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
    start = 0
    for name, count, width in moves.plan:
        rows = moves.values[start : start + count].long()
        start += count
        numbers = moves.values[start : start + count * width].view(count, width)
        start += count * width
        _do(OPERATIONS[name], images, rows, numbers)
        if layers is not None and name in GEOMETRY:
            _do(GEOMETRY[name], layers, rows, numbers)
    if layers is None:
        return images, masks
    return images, layers.permute(0, 3, 1, 2).contiguous()


def _do(operation: Operation, images: Tensor, rows: Tensor, numbers: Tensor) -> None:
    most = _AT_ONCE.get(images.device.type, _FEW)
    for some, own in zip(rows.split(most), numbers.split(most), strict=True):
        images.index_copy_(0, some, operation(images.index_select(0, some), own).contiguous())
