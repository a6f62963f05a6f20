"""What one look at every mask finds out: how much each class covers, and which masks are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.check.audit import Finding
from comp.core import progress
from comp.core.errors import DataError
from comp.core.parallel import cores, read_ahead
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.tasks.counts import IGNORED, divide

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MaskFacts:
    """What is known of N masks of K classes.

    `problem`  (N,) text: why a mask cannot be used, "" where it can
    `pixels`   (N, K) int64: of each class; zeros where the mask cannot be used
    `rest`     (N, 3) int64: pixels of the background, those not judged, all of the image
    `objects`  (N, K) int64: marked objects, or connected regions of a file
    """

    problem: tuple[str, ...]
    pixels: Array
    rest: Array
    objects: Array


def look_at_masks(index: Index) -> MaskFacts:
    """The facts of all masks, in order. A mask that cannot be read is a fact too."""
    truth, classes = index.masks, len(index.classes)
    assert truth is not None, "the layouts of spatial tasks give masks"

    def look(row: int) -> tuple[str, Array]:
        try:
            return "", _counted(truth, row, classes)
        except DataError as problem:
            return str(problem), np.zeros(2 * classes + 3, dtype=np.int64)

    looked = read_ahead(look, range(len(index)), cores())
    found = list(progress.track(looked, len(index), "looking at masks"))
    numbers = np.stack([numbers for _, numbers in found])
    return MaskFacts(
        tuple(problem for problem, _ in found),
        numbers[:, :classes],
        numbers[:, classes : classes + 3],
        numbers[:, classes + 3 :],
    )


def _counted(truth: Masks, row: int, classes: int) -> Array:
    """(2 K + 3,) pixels of the classes, of background, not judged, of all; and the objects."""
    mask = truth.read(row)
    height, width, layers = mask.shape
    if layers == 1 and classes > 1:
        values = np.bincount(mask.ravel(), minlength=IGNORED + 1)
        pixels, nothing, unjudged = values[1 : classes + 1], values[0], values[IGNORED]
    else:
        pixels = (mask == 1).sum(axis=(0, 1))
        nothing, unjudged = (mask == 0).all(axis=2).sum(), (mask == IGNORED).any(axis=2).sum()
    rest = [nothing, unjudged, height * width]
    return np.concatenate([pixels, rest, truth.objects(row)]).astype(np.int64)


def mask_findings(index: Index, facts: MaskFacts, readable: Array) -> Iterator[Finding]:
    """Masks that cannot be used or mark everything. readable: (N,) bool, of the images: what is
    wrong with a mask whose image cannot be read is not told."""
    for name, problem, good in zip(index.ids, facts.problem, readable, strict=True):
        if problem and good:
            yield Finding("error", f"mask of {name!r}: {problem}", (name,))
    usable = np.array([not problem for problem in facts.problem], dtype=bool)
    for what, some in (
        ("masks mark every pixel", facts.rest[:, 0] + facts.rest[:, 1] == 0),
        ("masks have nothing that is judged", facts.rest[:, 1] == facts.rest[:, 2]),
    ):
        ids = tuple(index.ids[row] for row in np.flatnonzero(some & usable))
        if ids:
            yield Finding("note", f"{len(ids)} {what}", ids)


def mask_statistics(index: Index, facts: MaskFacts) -> dict[str, Any]:
    """How much each class covers, as JSON values: shares of all pixels, objects, and the share of
    an image that has the class, in the median."""
    total = max(1, int(facts.rest[:, 2].sum()))
    shares = divide(facts.pixels, facts.rest[:, 2:])
    classes = {
        name: {
            "images": int((facts.pixels[:, k] > 0).sum()),
            "objects": int(facts.objects[:, k].sum()),
            "pixels": _share(facts.pixels[:, k].sum() / total),
            "of an image": _share(_median(shares[facts.pixels[:, k] > 0, k])),
        }
        for k, name in enumerate(index.classes)
    }
    empty = (facts.pixels.sum(axis=1) == 0) & (facts.rest[:, 2] > 0)
    return {
        "classes": classes,
        "background": _share(facts.rest[:, 0].sum() / total),
        "not judged": _share(facts.rest[:, 1].sum() / total),
        "images without anything": int(empty.sum()),
        "unusable": sum(bool(problem) for problem in facts.problem),
    }


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _share(value: Any) -> float:
    return round(float(value), 6)
