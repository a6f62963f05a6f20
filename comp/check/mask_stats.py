"""Statistics of masks: how much each class covers, and which masks are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.check.findings import Finding
from comp.core import progress
from comp.core.errors import DataError
from comp.core.parallel import cores, read_ahead
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.tasks.counts import IGNORED, divide

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MaskStats:
    """Statistics of N masks of K classes.

    `problem`  (N,) text: why a mask cannot be used, "" where it can
    `pixels`   (N, K) int64: of each class; zeros where the mask cannot be used
    `rest`     (N, 3) int64: pixels of the background, ignored ones, all of the image
    `objects`  (N, K) int64: marked objects, or connected regions of a file
    """

    problem: tuple[str, ...]
    pixels: Array
    rest: Array
    objects: Array


def measure_masks(index: Index) -> MaskStats:
    """The statistics of all masks, in order. A mask that cannot be read has a `problem`."""
    masks, classes = index.masks, len(index.classes)
    assert masks is not None, "an index without masks"

    def measure(row: int) -> tuple[str, Array]:
        try:
            return "", _counted(masks, row, classes)
        except DataError as problem:
            return str(problem), np.zeros(2 * classes + 3, dtype=np.int64)

    measured = read_ahead(measure, range(len(index)), cores())
    found = list(progress.track(measured, len(index), "measuring masks"))
    numbers = np.stack([numbers for _, numbers in found])
    return MaskStats(
        tuple(problem for problem, _ in found),
        numbers[:, :classes],
        numbers[:, classes : classes + 3],
        numbers[:, classes + 3 :],
    )


def _counted(masks: Masks, row: int, classes: int) -> Array:
    """(2 K + 3,) pixels of the classes, of the background, ignored, of all; and the objects."""
    mask = masks.read(row)
    height, width, layers = mask.shape
    if layers == 1 and classes > 1:
        values = np.bincount(mask.ravel(), minlength=IGNORED + 1)
        pixels, nothing, ignored = values[1 : classes + 1], values[0], values[IGNORED]
    else:
        pixels = (mask == 1).sum(axis=(0, 1))
        nothing, ignored = (mask == 0).all(axis=2).sum(), (mask == IGNORED).any(axis=2).sum()
    rest = [nothing, ignored, height * width]
    return np.concatenate([pixels, rest, masks.objects(row)]).astype(np.int64)


def mask_findings(index: Index, stats: MaskStats, readable: Array) -> Iterator[Finding]:
    """Masks that cannot be used, or that are full. readable: (N,) bool: whether the image can be
    read; where it cannot, its mask is not a finding of its own."""
    for name, problem, good in zip(index.ids, stats.problem, readable, strict=True):
        if problem and good:
            yield Finding("error", f"mask of {name!r}: {problem}", (name,))
    usable = np.array([not problem for problem in stats.problem], dtype=bool)
    for what, some in (
        ("masks mark every pixel", stats.rest[:, 0] + stats.rest[:, 1] == 0),
        ("masks have only ignored pixels", stats.rest[:, 1] == stats.rest[:, 2]),
    ):
        ids = tuple(index.ids[row] for row in np.flatnonzero(some & usable))
        if ids:
            yield Finding("note", f"{len(ids)} {what}", ids)


def mask_summary(index: Index, stats: MaskStats) -> dict[str, Any]:
    """How much each class covers, as JSON values: shares of all pixels, objects, and the share of
    an image that has the class, in the median."""
    total = max(1, int(stats.rest[:, 2].sum()))
    shares = divide(stats.pixels, stats.rest[:, 2:])
    classes = {
        name: {
            "images": int((stats.pixels[:, k] > 0).sum()),
            "objects": int(stats.objects[:, k].sum()),
            "pixels": _share(stats.pixels[:, k].sum() / total),
            "of an image": _share(_median(shares[stats.pixels[:, k] > 0, k])),
        }
        for k, name in enumerate(index.classes)
    }
    empty = (stats.pixels.sum(axis=1) == 0) & (stats.rest[:, 2] > 0)
    return {
        "classes": classes,
        "background": _share(stats.rest[:, 0].sum() / total),
        "not judged": _share(stats.rest[:, 1].sum() / total),
        "images without anything": int(empty.sum()),
        "unusable": sum(bool(problem) for problem in stats.problem),
    }


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _share(value: Any) -> float:
    return round(float(value), 6)
