"""How the masks of two submissions differ: per class, by Dice, from their run lengths alone."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from comp.data.masks import rle
from comp.submission.diff import ClassDiff, Diff

Array = np.ndarray[Any, Any]
Runs = tuple[Array, Array]  # where they begin and end
Regions = dict[tuple[str, str], Runs]  # image, class -> its runs, where it has any

ENDLESS = 1 << 62  # pixels of an image whose size is not known


def runs_of(layer: Array) -> Runs:
    """The runs of a mask (H, W) of bools."""
    starts, lengths = rle.runs(rle.encode(layer), layer.size)
    return starts, starts + lengths


def compare_regions(old: Regions, new: Regions) -> Diff:
    """The differences between two sets of masks: per class, and per image."""
    dice = {key: _dice([old.get(key)], [new.get(key)]) for key in sorted({*old, *new})}
    classes = {}
    for name in sorted({c for _, c in dice}):
        keys = [key for key in dice if key[1] == name]
        both = [key for key in keys if key in old and key in new]
        classes[name] = ClassDiff(
            both=len(both),
            changed=sum(dice[key] < 1 for key in both),
            first=sum(key not in new for key in keys),
            second=sum(key not in old for key in keys),
            dice=float(np.mean([dice[key] for key in keys])),
        )
    by_image: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for key in dice:
        by_image[key[0]].append(key)
    of_image = {
        image: _dice([old.get(key) for key in keys], [new.get(key) for key in keys])
        for image, keys in by_image.items()
    }
    differ = sorted((value, image) for image, value in of_image.items() if value < 1)
    return Diff(
        rows=len(by_image),
        ids=tuple(image for _, image in differ),
        classes=classes,
        dice={image: value for value, image in differ},
    )


def _dice(old: list[Runs | None], new: list[Runs | None]) -> float:
    """The Dice of several classes together: the runs of each class with those of the same class."""
    total = shared = 0
    for a, b in zip(old, new, strict=True):
        sizes = [int((r[1] - r[0]).sum()) if r is not None else 0 for r in (a, b)]
        total += sum(sizes)
        if a is not None and b is not None:
            shared += sum(sizes) - _union(a, b)
    return 2 * shared / total if total else 1.0


def _union(a: Runs, b: Runs) -> int:
    """How many pixels are in one of them at least."""
    places = np.concatenate([a[0], b[0], a[1], b[1]])
    steps = np.repeat([1, -1], [len(a[0]) + len(b[0]), len(a[1]) + len(b[1])])
    order = np.argsort(places, kind="stable")
    depth = np.cumsum(steps[order])
    return int((np.diff(places[order]) * (depth[:-1] > 0)).sum())
