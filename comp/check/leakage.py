"""Leakage: properties of a file that give its class away, whatever the image shows.

When the images of one class have a size, mode, border or camera of their own, a network learns
that: the validation score is perfect, the test score is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.check.findings import Finding
from comp.check.image_stats import ImageStats
from comp.data.index.index import Index
from comp.tasks.counts import UNKNOWN

Array = np.ndarray[Any, Any]

_LEAST = 8  # images with and without the class; with fewer it may be chance
_RIGHT = 0.95  # share that a trait must classify rightly, with the class and without it
_EDGE = 2.0  # standard deviation, in grey levels, below which an edge is one colour
_DARK, _BRIGHT = 24, 231


@dataclass(frozen=True)
class Leak:
    """A class that one trait gives away.

    `how`    which values of the trait, as a phrase
    `right`  the share of images that the trait classifies rightly, the lower of those with the
             class and those without it
    """

    name: str
    trait: str
    how: str
    right: float


def leakage_findings(index: Index, stats: ImageStats) -> Iterator[Finding]:
    """A warning for each class that a trait gives away."""
    good = np.flatnonzero(stats.readable)
    paths = tuple(index.paths[row] for row in good)
    hot = index.cells if index.labels.ndim == 1 or index.measured else index.labels
    for leak in find_leaks(stats.part(good), paths, index.strata, hot[good]):
        yield Finding(
            "warning",
            f"class {leak.name!r} can be recognised by its {leak.trait} alone ({leak.how}; "
            f"{leak.right:.0%} right): a network may learn that and nothing else",
        )


def find_leaks(
    stats: ImageStats, paths: tuple[Path, ...], classes: tuple[str, ...], hot: Array
) -> list[Leak]:
    """The traits that give a class away. hot: (N, C) zeros and ones, or UNKNOWN.

    The images must be readable; `stats`, `paths` and `hot` have the same order.
    """
    out = []
    texts = _texts(stats, paths)
    for column, name in enumerate(classes):
        known = hot[:, column] != UNKNOWN
        has = hot[known, column].astype(bool)
        if min(has.sum(), (~has).sum()) < _LEAST:
            continue
        for trait, values in texts.items():
            out += [Leak(name, trait, *found) for found in _by_text(values[known], has)]
    return [*out, *number_leaks(_numbers(stats), classes, hot)]


def number_leaks(traits: dict[str, Array], classes: tuple[str, ...], hot: Array) -> list[Leak]:
    """The numbers that give a class away. traits: (N,) by their names. hot: see `find_leaks`."""
    out = []
    for column, name in enumerate(classes):
        known = hot[:, column] != UNKNOWN
        has = hot[known, column].astype(bool)
        if min(has.sum(), (~has).sum()) < _LEAST:
            continue
        for trait, values in traits.items():
            out += [Leak(name, trait, *found) for found in _by_number(values[known], has)]
    return out


def _texts(stats: ImageStats, paths: tuple[Path, ...]) -> dict[str, Array]:
    form, mode, orientation, camera = stats.header.T
    sizes = [f"{width} x {height}" for width, height, _ in stats.size.tolist()]
    return {
        "size": np.array(sizes, dtype=object),
        "file format": form.astype(object),
        "mode": mode.astype(object),
        "suffix": np.array([path.suffix.lower() for path in paths], dtype=object),
        "EXIF orientation": orientation.astype(object),
        "camera (EXIF)": camera.astype(object),
        "border": np.array([_border(thumb) for thumb in stats.thumbs], dtype=object),
    }


def _numbers(stats: ImageStats) -> dict[str, Array]:
    width, height, _ = stats.size.T.astype(np.float64)
    return {"width": width, "height": height, "aspect": width / np.maximum(height, 1)}


def _border(thumb: Array) -> str:
    """Which sides and corners of an image are plain black or plain white."""
    sides = {"top": thumb[0], "bottom": thumb[-1], "left": thumb[:, 0], "right": thumb[:, -1]}
    corners = thumb[[0, 0, -1, -1], [0, -1, 0, -1]]
    plain = [f"{_tone(side)} {name}" for name, side in sides.items() if _tone(side)]
    if not plain and _tone(corners):
        return f"{_tone(corners)} corners"
    return ", ".join(plain) or "none"


def _tone(pixels: Array) -> str:
    if pixels.std() > _EDGE:
        return ""
    mean = pixels.mean()
    return "black" if mean < _DARK else "white" if mean > _BRIGHT else ""


def _by_text(values: Array, has: Array) -> Iterator[tuple[str, float]]:
    """Whether values that several images have predict the class."""
    unique, number = np.unique(values.astype(str), return_inverse=True)
    if len(unique) < 2:
        return
    inside = np.bincount(number, weights=has).astype(np.float64)
    total = np.bincount(number).astype(np.float64)
    guess = (inside > total / 2)[number]
    guess = np.where(total[number] > 1, guess, ~has)  # a value of one image says nothing
    right = _balanced(guess, has)
    if right >= _RIGHT:
        mostly = unique[np.argmax(inside * (inside > total / 2))]
        yield f"mostly {mostly or 'none'}", right


def _by_number(values: Array, has: Array) -> Iterator[tuple[str, float]]:
    """Whether the class lies above or below a threshold."""
    order = np.argsort(values, kind="stable")
    sorted_values, hits = values[order], has[order]
    below = np.cumsum(hits) / hits.sum()
    others = np.cumsum(~hits) / (~hits).sum()
    cuts = np.flatnonzero(np.diff(sorted_values) > 0)
    if not len(cuts):
        return
    for sign, words in ((1, "at most"), (-1, "above")):
        gain = sign * (below - others)[cuts]
        best = cuts[int(gain.argmax())]
        right = 0.5 + float(gain.max()) / 2
        worst = (
            min(below[best], 1 - others[best]) if sign > 0 else min(1 - below[best], others[best])
        )
        if worst >= _RIGHT:
            yield f"{words} {(sorted_values[best] + sorted_values[best + 1]) / 2:g}", right


def _balanced(guess: Array, has: Array) -> float:
    """The lower of the two shares guessed rightly: with the class and without it."""
    return float(min(guess[has].mean(), (~guess[~has]).mean()))
