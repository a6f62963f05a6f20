"""COCO's segmentations: polygons and run lengths, checked before pycocotools gets them.

pycocotools reads beyond its memory where run lengths are too few, and fills all memory where points
are far away; so it gets nothing that `shape_fault` complains about.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.core.errors import DataError

Array = np.ndarray[Any, Any]

_FAR = 4.0  # how far outside the image a point may be, in sides of the image
_CORNERS = 6  # the fewest numbers of a polygon that covers anything


def shape_fault(segmentation: Any, size: tuple[int, int]) -> str | None:
    """What is wrong with a segmentation of an image of this height and width; None if nothing."""
    if isinstance(segmentation, dict):
        return _runs_fault(segmentation, size)
    if not isinstance(segmentation, list):
        return "has neither polygons nor run lengths"
    for polygon in segmentation:
        if not isinstance(polygon, list):
            return "is not a list of polygons [[x, y, x, y, ...], ...]"
        points = np.asarray(polygon) if polygon else np.zeros(0)
        if points.ndim != 1 or points.dtype.kind not in "iuf" or not np.isfinite(points).all():
            return "has points that are not numbers"
        if len(points) % 2:
            return f"has a polygon of {len(points)} numbers; x and y are pairs"
        if len(points) and np.abs(points).max() > _FAR * max(size) + 100:
            return f"has a point at {np.abs(points).max():.0f}, far outside its image"
    return None


def _runs_fault(segmentation: dict[str, Any], size: tuple[int, int]) -> str | None:
    stated = segmentation.get("size")
    if not isinstance(stated, list | tuple) or tuple(stated) != tuple(size):
        return f"is of size {stated}, its image of {list(size)}"
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        runs = np.asarray(counts) if counts else np.zeros(0, dtype=np.int64)
        if runs.ndim != 1 or runs.dtype.kind not in "iu":
            return "has run lengths that are not whole numbers"
    elif isinstance(counts, str | bytes):
        found = _unpacked(counts)
        if found is None:
            return "has packed run lengths that cannot be read"
        runs = found
    else:
        return "has no run lengths (counts)"
    if (runs < 0).any() or int(runs.sum()) != size[0] * size[1]:
        return f"has run lengths of {int(runs.sum())} pixels, its image has {size[0] * size[1]}"
    return None


def _unpacked(packed: str | bytes) -> Array | None:
    """The run lengths in COCO's packed form; None where they cannot be read.

    A number is written in groups of five bits, the lowest first, each as a letter from "0" on whose
    sixth bit says that more groups follow; from the fourth number on it is the difference from the
    number two before it (`rleFrString` in COCO's maskApi.c).
    """
    try:
        letters = packed.encode("ascii") if isinstance(packed, str) else packed
    except UnicodeEncodeError:
        return None
    groups = np.frombuffer(letters, dtype=np.uint8).astype(np.int64) - 48
    if not len(groups):
        return np.zeros(0, dtype=np.int64)
    ends = np.flatnonzero((groups & 0x20) == 0)
    if (groups < 0).any() or (groups > 63).any() or not len(ends) or ends[-1] != len(groups) - 1:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:  # more than 32 bits
        return None
    place = np.arange(len(groups)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((groups & 0x1F) << (5 * place), starts)
    numbers -= np.where(groups[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return np.asarray(numbers)


def region_of(segmentation: Any, size: tuple[int, int]) -> Array:
    """(H, W) bool of a segmentation: the union of polygons, or run lengths, packed or not.

    Raises DataError for one that `shape_fault` complains about.
    """
    from pycocotools import mask as coco

    fault = shape_fault(segmentation, size)
    if fault:
        raise DataError(f"an annotation {fault}")
    height, width = size
    if isinstance(segmentation, list):
        polygons = [polygon for polygon in segmentation if len(polygon) >= _CORNERS]
        if not polygons:
            return np.zeros(size, dtype=bool)
        packed = coco.merge(coco.frPyObjects(polygons, height, width))
    elif isinstance(segmentation["counts"], list):
        packed = coco.frPyObjects(segmentation, height, width)
    else:
        packed = segmentation
    return np.asarray(coco.decode(packed) > 0)
