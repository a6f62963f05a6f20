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

    `images`   (B, C, H, W) uint8 or int32, or of bags (B, n, 3, H, W); behind them, partners that
               are seen elsewhere
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
        for rows in np.array_split(np.arange(len(self.target)), count):
            yield int(rows[0]), int(rows[-1]) + 1

    def beside(self, target: Tensor) -> AuxPart:
        """Further targets (B, K) of the images, mixed as they are."""
        if self.partner is None or self.kept is None:
            return AuxPart(target)
        return AuxPart(target[: len(self.target)], target[self.partner], self.kept)

    def weighed(self, weights: Tensor) -> Tensor:
        """(B,) how much each image counts, mixed as the images are."""
        if self.partner is None or self.kept is None:
            return weights
        return self.kept * weights[: len(self.target)] + (1 - self.kept) * weights[self.partner]

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


@dataclass(frozen=True)
class _Draws:
    """What is drawn for each image of a batch: the box that is erased, its partner, how much of its
    own pixels it keeps, the box that comes from the partner, and its share of the target."""

    erased: Array | None
    partner: Array | None = None
    share: Array | None = None
    boxes: Array | None = None
    kept: Array | None = None


def _drawn(
    augment: AugmentConfig, count: int, height: int, width: int, where: tuple[int, ...]
) -> _Draws:
    """The draws for `count` images; the size of the images changes no other draw."""
    draw = generator(where[0], "mix", *where[1:])
    erased = _erased(augment.erasing, count, height, width, draw) if augment.erasing else None
    if not augment.mixup and not augment.cutmix:
        return _Draws(erased)
    partner = draw.permutation(count)
    cut = draw.random(count) < (0.5 if augment.mixup and augment.cutmix else augment.cutmix > 0)
    share = np.where(cut, 1.0, draw.beta(augment.mixup or 1.0, augment.mixup or 1.0, count))
    area = np.where(cut, 1 - draw.beta(augment.cutmix or 1.0, augment.cutmix or 1.0, count), 0.0)
    boxes = _boxes(area, np.ones(count), height, width, draw.random((2, count)), clipped=True)
    kept = share - (boxes[1] - boxes[0]) * (boxes[3] - boxes[2]) / (height * width)
    return _Draws(erased, partner, share, boxes, kept)


def needed(
    augment: AugmentConfig, count: int, where: tuple[int, ...], low: int, high: int
) -> Array:
    """The places in a batch of `count` images that the images from `low` to `high` are made of:
    their own, then those of other partners. where: see `mix`."""
    own = np.arange(low, high)
    if (low, high) == (0, count) or (not augment.mixup and not augment.cutmix):
        return own
    partner = _drawn(augment, count, 1, 1, where).partner
    assert partner is not None
    return np.concatenate([own, np.setdiff1d(partner[low:high], own)])


@dataclass(frozen=True)
class Slice:
    """The images from `low` to `high` of a batch of `count`."""

    low: int
    high: int
    count: int


def mix(
    images: Tensor,
    target: Tensor,
    augment: AugmentConfig,
    task: Task,
    columns: int,
    mean: tuple[float, ...],
    where: tuple[int, ...],
    part: Slice | None = None,
    top: int = 255,
) -> Mixed:
    """The batch that training sees, from images (B, C, H, W) and target (B, ...) on the device. The
    images of a bag (B, n, 3, H, W) are changed alike, each mixed with one of its partner's.

    columns: C. mean: the colour of erased boxes, in [0, 1]. where: seed, fold, epoch, step; the
    random numbers are a function of them and of the batch size. part: what of the batch is seen
    here; images and target are then those of `needed`. None: all of it. top: the value of white.
    """
    part = Slice(0, len(images), len(images)) if part is None else part
    places = needed(augment, part.count, where, part.low, part.high)
    height, width = images.shape[-2:]
    drawn = _drawn(augment, part.count, height, width, where)
    if drawn.erased is not None:
        images = _erase(images, drawn.erased[:, places], [round(top * value) for value in mean])
    own, device = places[: part.high - part.low], images.device
    if drawn.partner is None:
        return Mixed(images, target)
    assert drawn.share is not None
    assert drawn.boxes is not None
    assert drawn.kept is not None
    order = np.argsort(places)
    partner = order[np.searchsorted(places[order], drawn.partner[own])]
    kept = send(torch.from_numpy(drawn.kept[own]).float(), device)
    chosen = send(torch.from_numpy(partner), device)
    soft = task.link.soft_target(target, columns)
    return Mixed(
        images,
        _mix_targets(
            *(soft[: len(own)], soft[chosen]),
            kept.view(-1, *[1] * (target.ndim - 1 or 1)),
            task.link.measures,
        ),
        chosen,
        send(torch.from_numpy(drawn.share[own]).float(), device).view(-1, *[1] * (images.ndim - 1)),
        send(torch.from_numpy(drawn.boxes[:, own]), device),
        kept,
    )


def _mix_targets(soft: Tensor, other: Tensor, own: Tensor, measured: bool) -> Tensor:
    """`own` of each target and the rest of its partner's; unknown where one of the two that has a
    part in the image is. measured: whether they are numbers, of which an unknown one is NaN."""
    if measured:
        soft, other = torch.where(own > 0, soft, 0.0), torch.where(own < 1, other, 0.0)
        return own * soft + (1 - own) * other
    unknown = ((soft == UNKNOWN) & (own > 0)) | ((other == UNKNOWN) & (own < 1))
    return torch.where(unknown, float(UNKNOWN), own * soft + (1 - own) * other)


def _erased(
    probability: float, count: int, height: int, width: int, draw: np.random.Generator
) -> Array:
    """(4, B) the box of each image that is erased, in a share of the images; else empty."""
    area = np.where(draw.random(count) < probability, draw.uniform(*ERASED_AREA, count), 0.0)
    aspect = np.exp(draw.uniform(-ERASED_ASPECT, ERASED_ASPECT, count))
    return _boxes(area, aspect, height, width, draw.random((2, count)), clipped=False)


def _erase(images: Tensor, boxes: Array, colour: list[int]) -> Tensor:
    """The images with the colour in their boxes."""
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
