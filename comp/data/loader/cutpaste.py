"""CutPaste (Li et al. 2021) with real defects: a masked defect of a training image is pasted onto
an image without a defect, whose label becomes that of the defect.

Defects come from training rows of the fold only, and are pasted onto them only. Which defect, where
and how is a function of the seed of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.config.schema import ImageConfig
from comp.core.errors import ConfigError
from comp.data.images.decode import read_image
from comp.data.images.resize import by_fours, fit

Array = np.ndarray[Any, Any]

_OPAQUE = 127  # mask values above it are defect
_SCALES = (0.75, 1.25)
_FEATHER = 1.0  # sigma in pixels of the soft edge
_LARGEST = 0.9  # size of a defect, as a share of the side of the image


@dataclass(frozen=True, eq=False)
class Defect:
    """`pixels` (h, w, C) and `mask` (h, w) bool of the smallest box around a defect; `level`
    (C,) the mean colour around it in the box; `label`: the target row of its image."""

    pixels: Array
    mask: Array
    level: Array
    label: Array


class CutPaste:
    """Pastes defects onto images of the classes that have none.

    `defects` of the training part; `clean` (N,) bool: which rows of the index may get one.
    """

    def __init__(self, defects: Sequence[Defect], clean: Array, probability: float) -> None:
        self.defects = defects
        self.clean = clean
        self.probability = probability

    def __call__(self, image: Array, label: Array, row: int, seed: int) -> tuple[Array, Array]:
        """The image (H, W, C) of `row` and its label, with a defect or unchanged."""
        if row >= len(self.clean) or not self.clean[row]:  # rows beyond the index are copies
            return image, label
        draw = np.random.default_rng(seed)
        if draw.random() >= self.probability:
            return image, label
        defect = self.defects[int(draw.integers(len(self.defects)))]
        both = np.maximum(label, defect.label) if label.ndim else defect.label
        return _paste(image, defect, draw), both


def make_cutpaste(
    images: Array,
    target: Array,
    rows: Array,
    masks: Sequence[Path | None] | None,
    image: ImageConfig,
    probability: float,
) -> CutPaste:
    """The CutPaste of one fold. rows: its training rows; images, target, masks: of the whole index.

    Raises ConfigError where no training image has a mask, or each class has masks.
    """
    masked = [int(row) for row in rows if masks is not None and masks[int(row)] is not None]
    defects: list[Defect] = []
    for row in masked:
        assert masks is not None
        path = masks[row]
        assert path is not None
        mask = fit(read_image(path), image.size, image.resize).max(axis=2) > _OPAQUE
        defects += _cut(np.asarray(images[row]), mask, target[row])
    clean = np.zeros(len(target), dtype=bool)
    clean[rows] = ~_like(target[rows], target[masked])
    if not defects or not clean.any():
        raise ConfigError(
            "augment.cutpaste: needs training images with masks of their defects, and images of a "
            f"class without them; here {len(defects)} defects and {int(clean.sum())} such images. "
            "The layout 'defects' has both; else set augment.cutpaste to 0"
        )
    return CutPaste(defects, clean, probability)


def _like(target: Array, defective: Array) -> Array:
    """(n,) bool: whether a row has a label that rows with a defect have."""
    if target.ndim == 1:
        return np.isin(target, defective)
    return np.asarray((target[:, (defective > 0).any(axis=0)] > 0).any(axis=1))


def _cut(image: Array, mask: Array, label: Array) -> list[Defect]:
    """The defect of an image in its box; none where the mask is empty at this size, or reaches from
    border to border: pasted elsewhere, it would end in straight cuts."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    sides = [(rows, len(mask)), (columns, mask.shape[1])]
    if not mask.any() or any(ends[0] == 0 and ends[-1] == size - 1 for ends, size in sides):
        return []
    box = np.s_[max(rows[0] - 2, 0) : rows[-1] + 3, max(columns[0] - 2, 0) : columns[-1] + 3]
    pixels, inside = image[box].copy(), mask[box].copy()
    around = pixels[~inside] if not inside.all() else pixels.reshape(-1, pixels.shape[2])
    return [Defect(pixels, inside, around.mean(axis=0), label)]


def _paste(image: Array, defect: Defect, draw: np.random.Generator) -> Array:
    """The image with the defect somewhere on it: turned by quarters, flipped and scaled, its
    brightness matched to that of the place, its edge softened."""
    pixels, mask = defect.pixels, defect.mask.astype(np.uint8)
    turns, flipped = int(draw.integers(4)), bool(draw.integers(2))
    pixels, mask = np.rot90(pixels, turns), np.rot90(mask, turns)
    if flipped:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    limit = _LARGEST * min(image.shape[:2]) / max(mask.shape)
    scale = min(float(draw.uniform(*_SCALES)), limit)
    size = tuple(max(1, round(side * scale)) for side in mask.shape[::-1])
    pixels = by_fours(
        np.ascontiguousarray(pixels),
        lambda part: cv2.resize(part, size, interpolation=cv2.INTER_LINEAR),
    )
    alpha = cv2.resize(np.ascontiguousarray(mask * 255), size, interpolation=cv2.INTER_LINEAR)
    nothing = cv2.BORDER_CONSTANT  # beyond the box: its border is soft too
    alpha = cv2.GaussianBlur(alpha, (0, 0), _FEATHER, borderType=nothing)
    alpha = alpha.astype(np.float32)[..., None] / 255
    top = int(draw.integers(image.shape[0] - size[1] + 1))
    left = int(draw.integers(image.shape[1] - size[0] + 1))
    place = np.s_[top : top + size[1], left : left + size[0]]
    there = image[place].astype(np.float32)
    moved = pixels + (there.mean(axis=(0, 1)) - defect.level).astype(np.float32)
    out = image.copy()
    out[place] = (
        np.clip(there + alpha * (moved - there), 0, np.iinfo(image.dtype).max)
        .round()
        .astype(image.dtype)
    )
    return out
