"""Adversarial validation: can a quick model tell training images from test images?

It sees what `comp check` has measured of each image: size, bytes, colours, brightness in 8 x 8
cells, sharpness, traits of the file. An AUC of 0.5 means that it cannot. Images that show the same
thing stay in one part of the cross-validation: else a copy of a training image, which the model
has seen, would give itself away whatever the test set is like. The groups of the test images (its
people, its patients) are not known, so that other groups alone look like a shift: halves of the
training groups against each other, one of them without its groups, show how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.check.findings import Finding
from comp.check.image_stats import ImageStats
from comp.core import files, rng
from comp.core.errors import DataError, first
from comp.core.progress import note
from comp.data.index.tables import read_table, write_table

Array = np.ndarray[Any, Any]

_LEAST = 30  # readable images of each part; with fewer everything may be chance
_MOST = 4000  # of each part that are looked at, evenly spread
_PARTS, _ROUNDS, _TREES = 5, 200, 100  # of the cross-validation, the bootstrap, the model
_HALVES = 3  # times that the training groups are divided
_FAR = 0.6  # the lower end of the interval from which the parts differ enough to be warned of
_CELLS = 8  # brightness is looked at in so many rows and columns
_CLIP = 10.0  # a weight is at most so many times the mean, and at least a so manieth
_SHOWN = 6  # images of each part that are named


@dataclass(frozen=True)
class Shift:
    """How far training and test images can be told apart.

    `auc`        cross-validated, of "is a test image"; 0.5: not at all
    `low, high`  its 95 % bootstrap interval over groups of images that show the same
    `usual`      the AUC between halves of the training groups; 0.5 where there are no groups
    `traits`     the single traits that tell most, each with its own AUC (0.5 and more)
    `rows`       (n,) the rows of the training images that were looked at
    `weights`    (n,) how much each counts for the training set to look like the test set; mean 1
    `odd_train, odd_test`  rows that give themselves away, the clearest first
    """

    auc: float
    low: float
    high: float
    usual: float
    traits: tuple[tuple[str, float], ...]
    rows: Array
    weights: Array
    odd_train: Array
    odd_test: Array

    @property
    def far(self) -> bool:
        """Whether the parts differ beyond noise, and by enough to matter."""
        return self.low >= max(_FAR, self.usual)

    @property
    def effective(self) -> float:
        """How many equally weighted images the weights leave (Kish)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


def find_shift(
    train: ImageStats,
    test: ImageStats,
    groups: Sequence[int],
    copies: Sequence[int] | None = None,
    seed: int = 0,
) -> Shift | None:
    """Train against test; None where there are too few readable images or groups.

    groups: of the training images, then of the test images: which belong together as far as that is
    known. copies: the same without what only the training table says; None: there is no such thing.
    """
    own = [_spread(np.flatnonzero(part.readable)) for part in (train, test)]
    if min(map(len, own)) < _LEAST:
        return None
    names, table = _traits([train.part(own[0]), test.part(own[1])])
    is_test = np.repeat([0, 1], [len(rows) for rows in own])
    unit = np.asarray(groups)[np.concatenate([own[0], len(train) + own[1]])]
    if min(len(np.unique(unit[is_test == part])) for part in (0, 1)) < _PARTS:
        return None
    chance = _cross_validated(table, is_test, unit, seed)
    low, high = _interval(chance, is_test, unit, seed)
    single = [(name, _auc(table[:, place], is_test)) for place, name in enumerate(names)]
    best = sorted(((n, max(a, 1 - a)) for n, a in single), key=lambda pair: -pair[1])[:3]
    odds = np.clip(chance, 1e-3, 1 - 1e-3)
    raw = (odds / (1 - odds))[is_test == 0]
    weights = np.clip(raw / raw.mean(), 1 / _CLIP, _CLIP)
    order = np.argsort(chance[is_test == 0], kind="stable")
    return Shift(
        auc=_auc(chance, is_test),
        low=low,
        high=high,
        usual=0.5 if copies is None else _usual(table, own[0], groups, copies, seed),
        traits=tuple(best),
        rows=own[0],
        weights=weights / weights.mean(),
        odd_train=own[0][order[:_SHOWN]],
        odd_test=own[1][np.argsort(-chance[is_test == 1], kind="stable")[:_SHOWN]],
    )


def shift_findings(
    shift: Shift | None, train: Sequence[str], test: Sequence[str], weights: object
) -> Iterator[Finding]:
    """A warning where the parts differ, else a note. weights: the file that weights are in."""
    if shift is None:
        return
    text = f"AUC {shift.auc:.2f}, 95 % {shift.low:.2f} to {shift.high:.2f}; 0.50: alike"
    if shift.usual != 0.5:
        text += f"; halves of the training groups: {shift.usual:.2f}"
    if not shift.far:
        yield Finding("note", f"training and test images look alike to a quick model ({text})")
        return
    traits = ", ".join(f"{name} ({auc:.2f})" for name, auc in shift.traits)
    odd = [train[row] for row in shift.odd_train], [test[row] for row in shift.odd_test]
    yield Finding(
        "warning",
        f"training and test images differ: a quick model tells them apart ({text}). Single traits "
        f"that tell most: {traits}. Least like the test: {first(odd[0], 3)}; test images least "
        f"like training: {first(odd[1], 3)}. {weights}: weights of the training images for "
        f"validation ({shift.effective:.0f} of {len(shift.rows)} images count); `comp ensemble` "
        "gives the honest score with them too",
        (*odd[0], *odd[1]),
    )


def write_weights(path: Path, ids: Sequence[str], shift: Shift | None) -> None:
    """Write id and weight of each training image where the parts differ; else remove the file.
    Images that were not looked at weigh 1."""
    if shift is None or not shift.far:
        files.remove(path)
        return
    weights = np.ones(len(ids))
    weights[shift.rows] = shift.weights
    write_table(
        path, ("id", "weight"), ((n, f"{w:.4f}") for n, w in zip(ids, weights, strict=True))
    )


def read_weights(path: Path, ids: Sequence[str]) -> Array | None:
    """(N,) the weights of these training images; None where there are none of all of them."""
    if not path.is_file():
        return None
    try:
        table = read_table(path)
        known = dict(zip(table.values["id"], map(float, table.values["weight"]), strict=True))
        return np.array([known[name] for name in ids])
    except (DataError, KeyError, ValueError):
        note(f"{path}: not the weights of these images; `comp check` makes them again")
        return None


def _spread(rows: Array) -> Array:
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(_MOST, len(rows))).astype(int)])


def _traits(parts: Sequence[ImageStats]) -> tuple[list[str], Array]:
    """Names and values (n, K) of what the model sees."""
    size = np.concatenate([part.size for part in parts]).astype(float)
    header = np.concatenate([part.header for part in parts])
    thumbs = np.concatenate([part.thumbs for part in parts])
    count = parts[0].mean.shape[1]
    colours = ("red", "green", "blue") if count == 3 else [f"channel {n}" for n in range(count)]
    columns: list[tuple[str, Array]] = [
        ("width", size[:, 0]),
        ("height", size[:, 1]),
        ("bytes per pixel", size[:, 2] / np.maximum(1, size[:, 0] * size[:, 1])),
        ("sharpness", np.array([cv2.Laplacian(t, cv2.CV_64F).std() for t in thumbs])),
    ]
    for name, values in (("mean", "mean"), ("deviation", "std")):
        found = np.concatenate([getattr(part, values) for part in parts])
        columns += [(f"{name} of {c}", found[:, k]) for k, c in enumerate(colours)]
    cells = np.stack(
        [cv2.resize(t, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).ravel() for t in thumbs]
    )
    columns += [
        (f"brightness at row {k // _CELLS + 1}, column {k % _CELLS + 1} of 8", cells[:, k])
        for k in range(_CELLS**2)
    ]
    for place, name in enumerate(("format", "mode", "EXIF orientation", "camera")):
        _, numbers, counts = np.unique(header[:, place], return_inverse=True, return_counts=True)
        columns.append((name, counts[numbers]))  # how frequent it is: one number for many names
    return [name for name, _ in columns], np.stack([v for _, v in columns], axis=1).astype(float)


def _cross_validated(table: Array, is_test: Array, unit: Array, seed: int) -> Array:
    """(n,) the chance that each image is a test image, by trees that saw no image of its group;
    as if both parts were of one size."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    out = np.full(len(table), 0.5)
    parts = StratifiedGroupKFold(_PARTS, shuffle=True, random_state=rng.derive(seed) % 2**32)
    for inside, outside in parts.split(table, is_test, unit):
        if len({*is_test[inside]}) < 2:
            continue
        trees = ExtraTreesClassifier(
            _TREES,
            min_samples_leaf=5,
            class_weight="balanced",
            random_state=rng.derive(seed) % 2**32,
        )
        out[outside] = trees.fit(table[inside], is_test[inside]).predict_proba(table[outside])[:, 1]
    return out


def _usual(
    table: Array, rows: Array, groups: Sequence[int], copies: Sequence[int], seed: int
) -> float:
    """The mean AUC between halves of the training groups, the groups of one of them forgotten."""
    own, blind = np.asarray(groups)[rows], np.asarray(copies)[rows]
    names, found = np.unique(own), []
    for number in range(_HALVES):
        half = rng.generator(seed, "halves", number).permutation(names)[: len(names) // 2]
        other = np.isin(own, half).astype(int)
        unit = np.where(other, blind + len(copies) + 1 + own.max(), own)
        if min(len(np.unique(unit[other == side])) for side in (0, 1)) >= _PARTS:
            chance = _cross_validated(table[: len(rows)], other, unit, seed)
            found.append(_auc(chance, other))
    return float(np.mean(found)) if found else 0.5


def _auc(values: Array, is_test: Array, weights: Array | None = None) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_test, values, sample_weight=weights))


def _interval(chance: Array, is_test: Array, unit: Array, seed: int) -> tuple[float, float]:
    """Whole groups are drawn again, with replacement."""
    draw, numbers = rng.generator(seed, "shift"), np.unique(unit, return_inverse=True)[1]
    found, count = [], int(numbers.max()) + 1
    for _ in range(_ROUNDS):
        weights = np.bincount(draw.integers(count, size=count), minlength=count)[numbers]
        if all(weights[is_test == part].sum() for part in (0, 1)):
            found.append(_auc(chance, is_test, weights))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
