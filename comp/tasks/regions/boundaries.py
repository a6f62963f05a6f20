"""Distances between the outlines of regions: Hausdorff, surface Dice, boundary IoU.

Each image gives numbers for each column, (C, K), in the place of counts of pixels, so that no more
than one image is ever held. The outline of a region are its pixels with an edge to what is outside,
also at the border of the image. Distances are in pixels, by scipy's exact distance transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from comp.tasks.counts import RATIOS, class_scores, divide, image_scores
from comp.tasks.regions.layers import cropped, layers

Array = np.ndarray[Any, Any]
# truth (L, H, W), labels (L, H, W), probs (C, H, W) or None, columns C -> (C, K)
Measure = Callable[[Array, Array, Array | None, int], Array]
# measures (N, C, K) of some columns, weights (R, N) -> (R, C) scores
ByClass = Callable[[Array, Array], Array]

BAND = 0.02  # of the diagonal: the width of the band of boundary IoU (Cheng et al. 2021)


def outline(region: Array) -> Array:
    """(H, W) bool: the pixels of a region with an edge to what is outside."""
    from scipy.ndimage import binary_erosion

    return np.asarray(region & ~binary_erosion(region))


def distances(one: Array, other: Array) -> tuple[Array, Array]:
    """How far each pixel of the outline of a region is from that of the other; of both regions,
    neither of which is empty."""
    from scipy.ndimage import distance_transform_edt

    first, second = map(outline, cropped(one, other))
    return distance_transform_edt(~second)[first], distance_transform_edt(~first)[second]


def hausdorff(share: float) -> Measure:
    """(C, 2): the distance, and whether it is defined, which it is where the class is there or
    answered.

    share: 100 for the largest distance between the outlines; 95 for the larger of the two 95th
    percentiles. Where only one of both is there, the diagonal of the image.
    """

    def measure(truth: Array, labels: Array, _: Array | None, columns: int) -> Array:
        out = np.zeros((columns, 2))
        for column, true, said in layers(truth, labels, columns):
            if true.any() and said.any():
                parts = distances(true, said)
                out[column] = max(float(np.percentile(part, share)) for part in parts), 1
            elif true.any() or said.any():
                out[column] = math.hypot(*true.shape), 1
        return out

    return measure


def surface_dice(tolerance: float) -> Measure:
    """(C, 2): the share of both outlines that is within `tolerance` pixels of the other (Nikolov et
    al. 2018), and 1; 1 where the class is in neither."""

    def measure(truth: Array, labels: Array, _: Array | None, columns: int) -> Array:
        out = np.ones((columns, 2))
        for column, true, said in layers(truth, labels, columns):
            if true.any() and said.any():
                near = np.concatenate(distances(true, said)) <= tolerance
                out[column, 0] = near.mean()
            elif true.any() or said.any():
                out[column, 0] = 0
        return out

    return measure


def band(region: Array, width: float) -> Array:
    """(H, W) bool: the pixels of a region at most so far from what is outside it."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(region & (distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1] <= width))


def boundary_counts(truth: Array, labels: Array, _: Array | None, columns: int) -> Array:
    """(C, 4): tp, fp, fn, tn of the pixels in the bands inside both outlines."""
    out = np.zeros((columns, 4))
    width = max(1, round(BAND * math.hypot(*truth.shape[1:])))
    for column, true, said in layers(truth, labels, columns):
        if not (true.any() or said.any()):
            continue
        one, other = (band(part, width) for part in cropped(true, said))
        hits = float((one & other).sum())
        out[column, :3] = hits, other.sum() - hits, one.sum() - hits
    return out


def mean_of_images(measures: Array, weights: Array) -> Array:
    """The mean of the first number over the images in which the second says that it is defined."""
    return divide(weights @ measures[..., 0], weights @ measures[..., 1])


def _iou_of_set(measures: Array, weights: Array) -> Array:
    return class_scores(measures, RATIOS["iou"], weights)


def _iou_of_images(measures: Array, weights: Array) -> Array:
    scores = image_scores(measures, RATIOS["iou"])
    return divide(weights @ scores, weights.sum(axis=1, keepdims=True))


# name -> what an image gives, the score of each class, whether greater is better
BOUNDARY_METRICS: dict[str, tuple[Measure, ByClass, bool]] = {
    "hausdorff": (hausdorff(100), mean_of_images, False),
    "hausdorff_95": (hausdorff(95), mean_of_images, False),
    **{
        f"surface_dice_{tolerance}": (surface_dice(tolerance), mean_of_images, True)
        for tolerance in (1, 2, 3, 5, 10)
    },
    "boundary_iou": (boundary_counts, _iou_of_set, True),
    "image_boundary_iou": (boundary_counts, _iou_of_images, True),
}
