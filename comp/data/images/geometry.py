"""Maps of probabilities between the square that a network sees and the image that it was.

Images are brought to a square by `image.resize`, or keep their size and are looked at through
windows that overlap. Maps are kept at the size of `predict.mask_size`, a square that covers the
whole upright image, however the network saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from comp.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

OWN_SIZE = ("none", "tiles")  # image.resize: images keep the size that they have


def windows(length: int, side: int, overlap: float) -> list[int]:
    """Where windows of `side` pixels begin, evenly spread over `length`, each overlapping the next
    by the share `overlap` at least; [0] where one is enough."""
    if length <= side:
        return [0]
    step = max(1, int(side * (1 - overlap)))
    count = 1 + -(-(length - side) // step)
    return [round(place) for place in np.linspace(0, length - side, count)]


def stitched(
    logits: Callable[[Tensor], Tensor], images: Tensor, side: int, overlap: float
) -> Tensor:
    """(B, C, H, W) logits of images (B, 3, H, W), from windows of `side` that overlap.

    Where they do, their mean, in which a window counts less towards its border: there it sees
    less of what is around (as nnU-Net does; Isensee et al. 2021).
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


def _tent(length: int) -> Tensor:
    """Weights that rise from the border to the middle, never zero."""
    import torch

    ramp = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / length


def to_whole_image(
    probs: Array, height: int, width: int, resize: str, side: int, *, background: bool
) -> Array:
    """(C, side, side) float32: the maps of a whole image, stretched, from what the network gave.

    probs: (C, h, w) float32 of the fitted image; height, width: of the upright image; background:
    whether the first column is one, which is given what `crop` cut away: zeros elsewhere.
    Raises ConfigError for an unknown way to resize.
    """
    if resize not in _WHOLE:
        raise ConfigError(f"image.resize: {resize!r} cannot be undone on masks")
    whole = _WHOLE[resize](np.asarray(probs, dtype=np.float32), height, width, side)
    if background:
        whole[0] += whole.sum(axis=0) == 0
    return whole


def scaled(maps: Array, height: int, width: int) -> Array:
    """(C, height, width) of the dtype of the maps (C, h, w), linearly interpolated."""
    if maps.shape[1:] == (height, width):
        return maps
    shrinks = height < maps.shape[1] or width < maps.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(part, (width, height), interpolation=how) for part in maps])


def _stretched(probs: Array, height: int, width: int, side: int) -> Array:
    return scaled(probs, side, side)


def _unpadded(probs: Array, height: int, width: int, side: int) -> Array:
    size, longer = probs.shape[1], max(height, width)
    tall, wide = max(1, round(height * size / longer)), max(1, round(width * size / longer))
    top, left = (size - tall) // 2, (size - wide) // 2
    return scaled(probs[:, top : top + tall, left : left + wide], side, side)


def _uncropped(probs: Array, height: int, width: int, side: int) -> Array:
    edge = min(height, width)
    tall, wide = max(1, round(edge * side / height)), max(1, round(edge * side / width))
    top, left = (side - tall) // 2, (side - wide) // 2
    out = np.zeros((len(probs), side, side), dtype=np.float32)
    out[:, top : top + tall, left : left + wide] = scaled(probs, tall, wide)
    return out


_WHOLE: dict[str, Callable[[Array, int, int, int], Array]] = {
    "stretch": _stretched,
    "pad": _unpadded,
    "crop": _uncropped,
    **dict.fromkeys(OWN_SIZE, _stretched),
}
