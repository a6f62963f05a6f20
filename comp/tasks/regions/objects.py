"""Objects that are found in masks, and their mean average precision over IoU, as COCO counts it.

An object is a connected region of a class (pixels joined by edges or corners), in the truth as in
the answer; its score is the mean probability of the class inside it. Each image gives, for each
column, how many objects there are, and of the likeliest 100 that are answered the score and at
which IoUs it is one of them: (C, 201) float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from comp.tasks.regions.boundaries import ByClass, Measure
from comp.tasks.regions.layers import layers

Array = np.ndarray[Any, Any]

IOUS = np.arange(10) * 0.05 + 0.5  # COCO's
MOST = 100  # answered objects per image and class
_RECALLS = np.linspace(0, 1, 101)
_NOTHING = -1.0  # the score of a place without an object


@dataclass(frozen=True)
class Objects:
    """The R regions of one class in an image.

    `numbers`  (H, W) int32: 1 to R, 0 outside
    `boxes`    (R, 4) int64: left, top, width, height in pixels
    `areas`    (R,) pixels
    """

    numbers: Array
    boxes: Array
    areas: Array

    def __len__(self) -> int:
        return len(self.areas)

    def scores(self, probs: Array) -> Array:
        """(R,) the mean of probabilities (H, W) inside each region."""
        sums = np.bincount(self.numbers.ravel(), probs.ravel(), len(self) + 1)[1:]
        return np.asarray(sums / self.areas)


def find_objects(region: Array) -> Objects:
    """The connected parts of a region, (H, W) bool."""
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    table = np.asarray(stats[1:], dtype=np.int64)
    sides = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]
    return Objects(numbers, table[:, sides], table[:, cv2.CC_STAT_AREA])


def box_ious(one: Objects, other: Objects) -> Array:
    """(R, S): the IoU of the boxes of two lists of objects."""
    low = np.maximum(one.boxes[:, None, :2], other.boxes[None, :, :2])
    ends = [boxes[:, :2] + boxes[:, 2:] for boxes in (one.boxes, other.boxes)]
    sides = np.clip(np.minimum(ends[0][:, None], ends[1][None]) - low, 0, None)
    both = sides.prod(axis=2)
    sizes = one.boxes[:, 2:].prod(axis=1)[:, None] + other.boxes[:, 2:].prod(axis=1)[None]
    return np.asarray(both / (sizes - both))


def mask_ious(one: Objects, other: Objects) -> Array:
    """(R, S): the IoU of their pixels."""
    pairs = one.numbers.astype(np.int64) * (len(other) + 1) + other.numbers
    table = np.bincount(pairs.ravel(), minlength=(len(one) + 1) * (len(other) + 1))
    both = table.reshape(len(one) + 1, len(other) + 1)[1:, 1:]
    return np.asarray(both / (one.areas[:, None] + other.areas[None] - both))


def matches(ious: Array) -> Array:
    """(R, T) bool: at which of IOUS each answer is an object. ious: (R, S), of answers from the
    likeliest on; each takes the free object that it overlaps most."""
    out = np.zeros((len(ious), len(IOUS)), dtype=bool)
    for place, least in enumerate(IOUS):
        free = np.ones(ious.shape[1], dtype=bool)
        for row, own in enumerate(ious):
            reached = np.where(free & (own >= least - 1e-10), own, -1.0)
            if len(reached) and reached.max() >= 0:
                # of equal overlaps COCO takes the last
                best = len(reached) - 1 - int(reached[::-1].argmax())
                free[best], out[row, place] = False, True
    return out


def found_objects(ious_of: Any) -> Measure:
    """(C, 1 + 2 MOST) float32: how many objects there are, then score and IoUs (bits) of each."""

    def measure(truth: Array, labels: Array, probs: Array | None, columns: int) -> Array:
        out = np.zeros((columns, 1 + 2 * MOST), dtype=np.float32)
        out[:, 1::2] = _NOTHING
        for column, true, said in layers(truth, labels, columns):
            there, answered = find_objects(true), find_objects(said)
            out[column, 0] = len(there)
            if not len(answered):
                continue
            sure = np.ones(true.shape) if probs is None else probs[column]
            scores = answered.scores(sure)
            order = np.argsort(-scores, kind="stable")[:MOST]
            bits = matches(ious_of(answered, there)[order]) @ (1 << np.arange(len(IOUS)))
            out[column, 1 : 1 + 2 * len(order) : 2] = scores[order]
            out[column, 2 : 2 + 2 * len(order) : 2] = bits
        return out

    return measure


def average_precision(count: int) -> ByClass:
    """The mean over the first `count` of IOUS of the area under precision and recall, at 101
    recalls, as COCO sums it; NaN for a class without an object."""

    def by_class(measures: Array, weights: Array) -> Array:
        columns = [_of_class(measures[:, c], weights, count) for c in range(measures.shape[1])]
        return np.stack(columns, axis=-1)

    return by_class


def _of_class(measures: Array, weights: Array, count: int) -> Array:
    """(R,)"""
    scores, bits = measures[:, 1::2], measures[:, 2::2].astype(np.int64)
    image, place = np.nonzero(scores != _NOTHING)
    order = np.argsort(-scores[image, place], kind="stable")
    image, own = image[order], bits[image, place][order]
    there = weights @ measures[:, 0].astype(np.float64)
    out = np.zeros(len(weights))
    for row, drawn in enumerate(weights):
        if there[row] <= 0:
            out[row] = np.nan
            continue
        mass = drawn[image]
        chosen = np.cumsum(mass)
        for bit in range(count):
            hits = np.cumsum(mass * ((own >> bit) & 1))
            out[row] += _area(hits, chosen, float(there[row])) / count
    return out


def _area(hits: Array, chosen: Array, there: float) -> float:
    """The mean of the best precision at each recall or beyond it, 0 beyond the last."""
    if not len(hits):
        return 0.0
    precision = hits / np.maximum(chosen, np.spacing(1))
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / there, _RECALLS, side="left")
    return float(np.append(best, 0.0)[places].mean())


# name -> what an image gives, the score of each class, whether greater is better
OBJECT_METRICS: dict[str, tuple[Measure, ByClass, bool]] = {
    "box_map": (found_objects(box_ious), average_precision(len(IOUS)), True),
    "box_ap50": (found_objects(box_ious), average_precision(1), True),
    "mask_map": (found_objects(mask_ious), average_precision(len(IOUS)), True),
    "mask_ap50": (found_objects(mask_ious), average_precision(1), True),
}
