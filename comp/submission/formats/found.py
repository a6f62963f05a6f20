"""The objects in an answer of masks: connected regions, each with its class, box and score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.submission.formats.masks import MaskRows
from comp.tasks.regions.objects import find_objects

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FoundObject:
    """One connected region.

    `code`    what the competition calls its class
    `region`  (H, W) bool
    `box`     left, top, width, height in pixels
    `score`   the mean probability of the class inside it; 1 where none are known
    """

    code: str
    region: Array
    box: tuple[int, int, int, int]
    score: float


def objects_of(content: MaskRows, mask: Array, probs: Array | None) -> Iterator[FoundObject]:
    """The objects of an image, class by class. mask: (L, H, W); probs: (C, H, W), or None.

    A region is connected by edges and corners.
    """
    first = 0 if probs is None else len(probs) - len(content.codes)  # after the background
    for place, (code, layer) in enumerate(content.layers(mask)):
        found = find_objects(layer)
        scores = np.ones(len(found)) if probs is None else found.scores(probs[first + place])
        for row, (box, score) in enumerate(zip(found.boxes.tolist(), scores.tolist(), strict=True)):
            yield FoundObject(code, found.numbers == row + 1, tuple(box), round(score, 6))
