"""All findings about the two parts of a data set, and their statistics as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.check.file_findings import image_findings, shared_id_findings
from comp.check.findings import Finding
from comp.check.image_stats import ImageStats
from comp.check.label_findings import label_findings
from comp.check.leakage import leakage_findings
from comp.check.mask_stats import MaskStats, mask_findings, mask_summary, measure_masks
from comp.data.folds.skipped import Skipped
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """The training set or the test set, measured. `masks`: None where it has none."""

    name: str
    index: Index
    images: ImageStats
    masks: MaskStats | None = None


def measured(train: Index, test: Index, stats: ImageStats) -> tuple[Part, Part]:
    """Both parts. stats: of the training images, then of the test images."""
    rows = np.arange(len(stats))
    masks = measure_masks(train) if train.masks is not None and len(train) else None
    return (
        Part("training", train, stats.part(rows[: len(train)]), masks),
        Part("test", test, stats.part(rows[len(train) :])),
    )


def audit(train: Part, test: Part, folds: int) -> Iterator[Finding]:
    """What is wrong with files, labels and masks, and worth knowing about them. folds: how many
    folds there will be."""
    for part in (train, test):
        yield from image_findings(part.name, part.index, part.images)
    if len(train.index):
        yield from label_findings(train.index, folds)
        yield from (_leaks if train.masks is None else _masks)(train)
    yield from shared_id_findings(train.index, test.index, train.images.digest, test.images.digest)


def _leaks(part: Part) -> Iterator[Finding]:
    return leakage_findings(part.index, part.images)


def _masks(part: Part) -> Iterator[Finding]:
    """A class of pixels that goes with a trait of the file is not given away by it."""
    assert part.masks is not None
    return mask_findings(part.index, part.masks, part.images.readable)


def unreadable(train: Part, test: Part) -> Skipped:
    """The ids of the images that cannot be read, with the reasons."""
    found = [
        {p.index.ids[row]: str(p.images.problem[row]) for row in np.flatnonzero(~p.images.readable)}
        for p in (train, test)
    ]
    return Skipped(*found)


def summary(train: Part, test: Part) -> dict[str, Any]:
    """Counts and statistics of both parts, as JSON values."""
    index = train.index
    cells = index.cells if len(index) else np.zeros((0, 0), np.int64)
    several = index.target is not None and index.target.ndim == 2 and not index.measured
    return {
        "classes": dict(zip(index.strata, cells.sum(axis=0).tolist(), strict=True)),
        "unknown": {name: int(n) for name, n in zip(index.strata, index.unknown, strict=True) if n},
        "together": (cells.T @ cells).tolist() if several else None,
        "train": _of_images(train.images),
        "test": _of_images(test.images),
        "masks": None if train.masks is None else mask_summary(index, train.masks),
    }


_COUNTED: dict[str, Callable[[ImageStats], Array]] = {
    "formats": lambda stats: stats.header[:, 0],
    "modes": lambda stats: stats.header[:, 1],
    "EXIF orientations": lambda stats: stats.header[:, 2],
    "cameras": lambda stats: stats.header[:, 3],
}


def _of_images(stats: ImageStats) -> dict[str, Any]:
    good = stats.part(np.flatnonzero(stats.readable))
    mean = square = np.zeros(stats.mean.shape[1])
    sizes = list[Any]()
    if len(good):
        mean = good.mean.mean(axis=0)
        square = (good.std**2 + good.mean**2).mean(axis=0)
        sizes = np.percentile(good.size, [0, 50, 100], axis=0).astype(int).tolist()
    deviation = np.sqrt(np.maximum(0, square - mean**2))
    return {
        "images": len(stats),
        "unreadable": len(stats) - len(good),
        "width, height, bytes: least, median, most": sizes,
        **{name: _counts(values(good)) for name, values in _COUNTED.items()},
        "channels": stats.mean.shape[1],
        "channel means": [round(float(value), 4) for value in mean],
        "channel deviations": [round(float(value), 4) for value in deviation],
    }


def _counts(values: Array) -> dict[str, int]:
    """The most frequent values with their counts."""
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:20]
    return {str(names[k]) or "none": int(counts[k]) for k in order}
