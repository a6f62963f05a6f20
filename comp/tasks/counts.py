"""Counting what is right and wrong, and the ratios that scores are made of.

Segmentation is scored from counts (N, C, 4): for each image and column tp, fp, fn, tn in
pixels. Every set-wide score is a ratio of their sums, so that no more than one image of pixels is
ever held. With one class per pixel the first column is the background.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
Ratio = Callable[[Array, Array, Array, Array], Array]

IGNORED = 255  # in a mask: neither trained on nor scored
UNKNOWN = -1  # in a 0/1 column: nobody said; neither trained on nor scored


def known_cells(target: Array) -> Array | None:
    """(N, C) bool: which cells of 0/1 columns are known; None where all are, for class numbers and
    for measured numbers.

    target: (N,) or (N, C) with UNKNOWN where nobody said.
    """
    if target.ndim == 1 or target.dtype.kind == "f":
        return None
    known = np.asarray(target != UNKNOWN)
    return None if known.all() else known


def without_unknown(cells: Array, known: Array | None) -> Array:
    """The cells with zeros where nobody said."""
    return cells if known is None else np.where(known, cells, 0)


def mean_of_defined(values: Array) -> Array:
    """The mean over the last axis of the values that are not NaN; NaN where there are none."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def divide(above: Array, below: Array) -> Array:
    """`above / below` with NaN, and no warning, where `below` is zero."""
    out = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=out, where=np.asarray(below != 0))
    return out


def count_pixels(truth: Array, labels: Array, columns: int) -> Array:
    """(C, 4) int64 tp, fp, fn, tn of one image.

    truth, labels: (L, H, W) uint8. L = 1: class numbers, 0 the background, and C = `columns`
    counts it; else L = C layers of zeros and ones. Pixels whose truth is IGNORED do not count.
    """
    judged = truth != IGNORED
    if len(truth) == 1 and columns > 1:
        pairs = truth[judged].astype(np.int64) * columns + labels[judged]
        table = np.bincount(pairs, minlength=columns * columns).reshape(columns, columns)
        tp = table.diagonal()
        fp, fn = table.sum(axis=0) - tp, table.sum(axis=1) - tp
        return np.stack([tp, fp, fn, table.sum() - tp - fp - fn], axis=1)
    yes, said = (truth == 1) & judged, (labels == 1) & judged
    tp, fp, fn = (
        part.reshape(len(truth), -1).sum(axis=1) for part in (yes & said, said & ~yes, yes & ~said)
    )
    return np.stack([tp, fp, fn, judged.reshape(len(truth), -1).sum(axis=1) - tp - fp - fn], axis=1)


def decided(probs: Tensor, *, normalized: bool) -> Tensor:
    """(B, L, H, W) uint8, on their device: the class of each pixel, L = 1, or zeros and ones of
    each layer, as `Task.decide` says with the neutral rule.

    probs: (B, C, H, W). normalized: whether each pixel has one class.
    """
    import torch

    if normalized:
        return probs.argmax(dim=1, keepdim=True).to(torch.uint8)
    return (probs >= 0.5).to(torch.uint8)


def count_maps(truth: Tensor, labels: Tensor, columns: int) -> Tensor:
    """(B, C, 4) int64 tp, fp, fn, tn of each image, as `count_pixels` gives them, for maps that are
    on a device; nothing is waited for. truth, labels: (B, L, H, W) uint8."""
    import torch

    judged = truth != IGNORED
    classes = truth.shape[1] == 1 and columns > 1
    found = []
    for column in range(columns):
        layer, value = (0, column) if classes else (column, 1)
        yes = (truth[:, layer] == value) & judged[:, layer]
        said = (labels[:, layer] == value) & judged[:, layer]
        pairs = (yes & said, said & ~yes, yes & ~said, judged[:, layer])
        tp, fp, fn, whole = (part.flatten(1).sum(dim=1) for part in pairs)
        found.append(torch.stack([tp, fp, fn, whole - tp - fp - fn], dim=1))
    return torch.stack(found, dim=1)


def _dice(tp: Array, fp: Array, fn: Array, _tn: Array) -> Array:
    return divide(2 * tp, 2 * tp + fp + fn)


def _iou(tp: Array, fp: Array, fn: Array, _tn: Array) -> Array:
    return divide(tp, tp + fp + fn)


def _precision(tp: Array, fp: Array, _fn: Array, _tn: Array) -> Array:
    return divide(tp, tp + fp)


def _recall(tp: Array, _fp: Array, fn: Array, _tn: Array) -> Array:
    return divide(tp, tp + fn)


RATIOS: dict[str, Ratio] = {
    "dice": _dice,
    "iou": _iou,
    "f1": _dice,
    "precision": _precision,
    "recall": _recall,
}


def class_scores(counts: Array, ratio: Ratio, weights: Array | None = None) -> Array:
    """The score of each column over the whole set: (R, C) from counts (N, C, 4) and the weights
    (R, N) of the images, or (C,) without weights. NaN for a column that occurs nowhere."""
    drawn = counts.sum(axis=0)[None] if weights is None else np.tensordot(weights, counts, axes=1)
    scores = ratio(*np.moveaxis(np.asarray(drawn, dtype=np.float64), -1, 0))
    return scores[0] if weights is None else scores


def image_scores(counts: Array, ratio: Ratio) -> Array:
    """(N, C): the score of each column in each image; 1 where it is in neither mask."""
    tp, fp, fn, tn = np.moveaxis(counts.astype(np.float64), -1, 0)
    scores = ratio(tp, fp, fn, tn)
    nothing = (tp + fp + fn) == 0
    return np.where(nothing, 1.0, np.nan_to_num(scores, nan=0.0))


def pixel_accuracy(counts: Array, weights: Array) -> Array:
    """(R,): the share of pixels that are right, over all columns; ignored pixels do not count."""
    tp, fp, fn, tn = np.moveaxis(np.tensordot(weights, counts, axes=1).astype(np.float64), -1, 0)
    return divide((tp + tn).sum(axis=1), (tp + fp + fn + tn).sum(axis=1))
