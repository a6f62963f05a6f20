"""Augmentation of a whole batch on the device: random erasing, mixup, CutMix.

A few random numbers per image are drawn on the CPU from (seed, fold, epoch, step); the pixels are
mixed on the device, for all images at once. (timm's Mixup draws from NumPy's global generator and
needs batches of even size and float images; it computes the same.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comp.config.schema import AugmentConfig
from comp.core.errors import ConfigError
from comp.core.rng import generator
from comp.models.device import send
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task
from comp.train.aux import AuxPart

Array = np.ndarray[Any, Any]

ERASED_AREA = (0.02, 1 / 3)  # of the image; Zhong et al. 2020
ERASED_ASPECT = math.log(1 / 0.3)  # logarithm of the largest; the smallest is its inverse


@dataclass(frozen=True)
class Mixed:
    """A batch on the device.

    `images`   (B, C, H, W) uint8 or uint16, or of bags (B, n, 3, H, W)
    `target`   (B, ...) as in an index, or soft: probabilities (B, C) in float, UNKNOWN where an
               image of the mixture is
    `partner`  (B,) the image that each is mixed with, or None where nothing is mixed
    `share`    (B, 1, 1, 1, ...) how much of its own pixels an image keeps under mixup, 1 elsewhere
    `boxes`    (4, B) top, bottom, left, right of the box that comes from the partner; empty if none
    `kept`     (B,) how much of an image is its own
    """

    images: Tensor
    target: Tensor
    partner: Tensor | None = None
    share: Tensor | None = None
    boxes: Tensor | None = None
    kept: Tensor | None = None

    def parts(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and target in `count` even parts, mixed part by part, in float where mixed."""
        for low, high in self.places(count):
            yield self._images(low, high), self.target[low:high]

    def places(self, count: int) -> Iterator[tuple[int, int]]:
        """The first image of each of these parts, and the first after it."""
        for rows in np.array_split(np.arange(len(self.images)), count):
            yield int(rows[0]), int(rows[-1]) + 1

    def beside(self, target: Tensor) -> AuxPart:
        """Further targets (B, K) of the images, mixed as they are."""
        if self.partner is None or self.kept is None:
            return AuxPart(target)
        return AuxPart(target, target[self.partner], self.kept)

    def weighed(self, weights: Tensor) -> Tensor:
        """(B,) how much each image counts, mixed as the images are."""
        if self.partner is None or self.kept is None:
            return weights
        return self.kept * weights + (1 - self.kept) * weights[self.partner]

    def _images(self, low: int, high: int) -> Tensor:
        own = self.images[low:high]
        if self.partner is None or self.share is None or self.boxes is None:
            return own
        other = self.images[self.partner[low:high]]
        share = self.share[low:high]
        mixed = own.float() * share + other.float() * (1 - share)
        return torch.where(inside(self.boxes[:, low:high], own), other.float(), mixed)


def check_mix(augment: AugmentConfig, task: Task) -> None:
    """Raise ConfigError for options that change images but not their masks."""
    options = {
        "mixup": augment.mixup,
        "cutmix": augment.cutmix,
        "cutpaste": augment.cutpaste,
        "copies": augment.copies,
    }
    found = [f"augment.{name}" for name, value in options.items() if value]
    if task.spatial and found:
        raise ConfigError(
            f"{', '.join(found)}: works for classification only, because masks do not change "
            f"with their images; task is {task.name}. Remove it from the config"
        )


def mix(
    images: Tensor,
    target: Tensor,
    augment: AugmentConfig,
    task: Task,
    columns: int,
    mean: tuple[float, ...],
    where: tuple[int, ...],
) -> Mixed:
    """The batch that training sees, from images (B, C, H, W) and target (B, ...) on the device. The
    images of a bag (B, n, 3, H, W) are changed alike, each mixed with one of its partner's.

    columns: C. mean: the colour of erased boxes, in [0, 1]. where: seed, fold, epoch, step; the
    random numbers are a function of them and of the batch size.
    """
    draw = generator(where[0], "mix", *where[1:])
    if augment.erasing:
        images = _erase(images, augment.erasing, mean, draw)
    if not augment.mixup and not augment.cutmix:
        return Mixed(images, target)
    count, (height, width) = len(images), images.shape[-2:]
    partner = draw.permutation(count)
    cut = draw.random(count) < (0.5 if augment.mixup and augment.cutmix else augment.cutmix > 0)
    share = np.where(cut, 1.0, draw.beta(augment.mixup or 1.0, augment.mixup or 1.0, count))
    area = np.where(cut, 1 - draw.beta(augment.cutmix or 1.0, augment.cutmix or 1.0, count), 0.0)
    boxes = _boxes(area, np.ones(count), height, width, draw.random((2, count)), clipped=True)
    kept = share - (boxes[1] - boxes[0]) * (boxes[3] - boxes[2]) / (height * width)
    device = images.device
    own = send(torch.from_numpy(kept).float(), device).view(-1, *[1] * (target.ndim - 1 or 1))
    chosen = send(torch.from_numpy(partner), device)
    return Mixed(
        images,
        _mix_targets(task.link.soft_target(target, columns), own, chosen, task.link.measures),
        chosen,
        send(torch.from_numpy(share).float(), device).view(-1, *[1] * (images.ndim - 1)),
        send(torch.from_numpy(boxes), device),
        own.view(-1),
    )


def _mix_targets(soft: Tensor, own: Tensor, partner: Tensor, measured: bool) -> Tensor:
    """`own` of each target and the rest of its partner's; unknown where one of the two that has a
    part in the image is. measured: whether they are numbers, which are all known."""
    other = soft[partner]
    if measured:
        return own * soft + (1 - own) * other
    unknown = ((soft == UNKNOWN) & (own > 0)) | ((other == UNKNOWN) & (own < 1))
    return torch.where(unknown, float(UNKNOWN), own * soft + (1 - own) * other)


def _erase(
    images: Tensor, probability: float, mean: tuple[float, ...], draw: np.random.Generator
) -> Tensor:
    """A box of the mean colour in a share of the images."""
    count, (height, width) = len(images), images.shape[-2:]
    area = np.where(draw.random(count) < probability, draw.uniform(*ERASED_AREA, count), 0.0)
    aspect = np.exp(draw.uniform(-ERASED_ASPECT, ERASED_ASPECT, count))
    boxes = _boxes(area, aspect, height, width, draw.random((2, count)), clipped=False)
    colour = [round(torch.iinfo(images.dtype).max * value) for value in mean]
    fill = send(torch.tensor(colour, dtype=images.dtype), images.device).view(1, -1, 1, 1)
    return torch.where(inside(send(torch.from_numpy(boxes), images.device), images), fill, images)


def _boxes(
    area: Array, aspect: Array, height: int, width: int, places: Array, *, clipped: bool
) -> Array:
    """(4, B) int64 top, bottom, left, right. area: shares of the image; places: (2, B) in [0, 1).

    clipped: the centre may be anywhere, and boxes are cut off at the border; else they are inside.
    """
    sizes = [np.sqrt(area * aspect) * height, np.sqrt(area / aspect) * width]
    out = []
    for size, limit, place in zip(sizes, (height, width), places, strict=True):
        size = np.minimum(np.rint(size), limit)
        low = place * limit - size / 2 if clipped else place * (limit - size + 1)
        ends = np.floor(low), np.floor(low) + size
        out += [np.clip(end, 0, limit).astype(np.int64) for end in ends]
    return np.stack(out)


def inside(boxes: Tensor, images: Tensor) -> Tensor:
    """(B, 1, H, W), of bags (B, 1, 1, H, W), bool: which pixels lie in the box of their image.

    boxes: (4, B)."""
    top, bottom, left, right = boxes.view(4, -1, *[1] * (images.ndim - 1))
    down = torch.arange(images.shape[-2], device=images.device).view(-1, 1)
    across = torch.arange(images.shape[-1], device=images.device)
    found: Tensor = (down >= top) & (down < bottom) & (across >= left) & (across < right)
    return found
