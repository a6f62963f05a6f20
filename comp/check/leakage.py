"""What would betray the class without a look at what the image shows.

When every image of one class has its own size, mode, border or camera, a network learns that, the
validation score is perfect and the test score is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.check.image_stats import Facts

Array = np.ndarray[Any, Any]

_LEAST = 8  # images with and without the class: with fewer it may be chance
_RIGHT = 0.95  # of the images with the class, and of those without, that one trait tells
_EDGE = 2.0  # standard deviation, in grey levels, below which an edge is one colour
_DARK, _BRIGHT = 24, 231


@dataclass(frozen=True)
class Betrayal:
    """A class that one trait tells: which, how (a phrase), and the share that it tells rightly."""

    name: str
    trait: str
    how: str
    right: float


def betrayals(
    facts: Facts, paths: tuple[Path, ...], classes: tuple[str, ...], hot: Array
) -> list[Betrayal]:
    """The traits that tell a class; of each class and trait the surest. hot: (N, C) zeros and ones.

    The images must be readable; `facts`, `paths` and `hot` have one order.
    """
    out = []
    texts, numbers = _texts(facts, paths), _numbers(facts)
    for column, name in enumerate(classes):
        has = hot[:, column].astype(bool)
        if min(has.sum(), (~has).sum()) < _LEAST:
            continue
        for trait, values in texts.items():
            out += [Betrayal(name, trait, *told) for told in _by_text(values, has)]
        for trait, values in numbers.items():
            out += [Betrayal(name, trait, *told) for told in _by_number(values, has)]
    return out


def _texts(facts: Facts, paths: tuple[Path, ...]) -> dict[str, Array]:
    form, mode, orientation, camera = facts.header.T
    sizes = [f"{width} x {height}" for width, height, _ in facts.size.tolist()]
    return {
        "size": np.array(sizes, dtype=object),
        "file format": form.astype(object),
        "mode": mode.astype(object),
        "suffix": np.array([path.suffix.lower() for path in paths], dtype=object),
        "EXIF orientation": orientation.astype(object),
        "camera (EXIF)": camera.astype(object),
        "border": np.array([_border(thumb) for thumb in facts.thumbs], dtype=object),
    }


def _numbers(facts: Facts) -> dict[str, Array]:
    width, height, _ = facts.size.T.astype(np.float64)
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
    """Whether values that several images have tell the class."""
    unique, number = np.unique(values.astype(str), return_inverse=True)
    if len(unique) < 2:
        return
    inside = np.bincount(number, weights=has).astype(np.float64)
    total = np.bincount(number).astype(np.float64)
    guess = (inside > total / 2)[number]
    guess = np.where(total[number] > 1, guess, ~has)  # a value of one image tells nothing
    right = _balanced(guess, has)
    if right >= _RIGHT:
        mostly = unique[np.argmax(inside * (inside > total / 2))]
        yield f"mostly {mostly or 'none'}", right


def _by_number(values: Array, has: Array) -> Iterator[tuple[str, float]]:
    """Whether the class lies above or below one threshold."""
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
    """The lower of the shares that are guessed rightly with the class and without it."""
    return float(min(guess[has].mean(), (~guess[~has]).mean()))
