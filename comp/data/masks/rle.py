"""Run lengths of masks, as Kaggle writes them: `start length start length ...`.

Pixels are counted from 1: down the columns, or with order "rows" along the rows. An empty text is
an empty mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.core.errors import DataError

Array = np.ndarray[Any, Any]

_LETTERS = {"columns": "F", "rows": "C"}


def encode(mask: Array, order: str = "columns") -> str:
    """The run lengths of a mask (H, W) of bools, or of zeros and others."""
    flat = np.asarray(mask, dtype=bool).ravel(order=_letter(order))
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    return " ".join(map(str, np.column_stack([starts + 1, ends - starts]).ravel().tolist()))


def decode(text: str, height: int, width: int, order: str = "columns") -> Array:
    """(H, W) bool: the mask that the run lengths mean.

    Raises DataError for what is no pairs of whole numbers, for runs of no pixels, before the one
    that stands in front of them or touching nothing of the image, and beyond its last pixel.
    """
    starts, lengths = runs(text, height * width)
    flat = np.zeros(height * width, dtype=bool)
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[starts] += 1
    steps[starts + lengths] -= 1
    flat[:] = np.cumsum(steps[:-1]) > 0
    return flat.reshape((height, width), order=_letter(order))


def runs(text: str, pixels: int) -> tuple[Array, Array]:
    """Where the runs begin (from 0) and how long they are; raises as `decode` does."""
    words = text.split()
    try:
        numbers = np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OverflowError) as problem:
        raise DataError(f"not run lengths: {_shown(text)}") from problem
    if len(numbers) % 2:
        raise DataError(f"run lengths are pairs, these are {len(numbers)} numbers: {_shown(text)}")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if (lengths < 1).any() or (starts < 0).any():
        raise DataError(f"starts and lengths are 1 at least: {_shown(text)}")
    beyond = lengths > pixels - starts  # their sum might be no number of 64 bits
    if beyond.any():
        end = int(starts[beyond][0]) + int(lengths[beyond][0])
        raise DataError(f"a run ends at pixel {end} of an image of {pixels}: {_shown(text)}")
    ends = starts + lengths
    if (starts[1:] < ends[:-1]).any():
        raise DataError(f"runs overlap, or are not in order: {_shown(text)}")
    return starts, lengths


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _letter(order: str) -> Any:
    return _LETTERS[order]
