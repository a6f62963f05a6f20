"""Run lengths of masks, as Kaggle writes them: `start length start length ...`.

Pixels are counted from 1: down the columns, or with order "rows" along the rows. An empty text is
an empty mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.core.errors import DataError

Array = np.ndarray[Any, Any]

# How tables of masks write that there is none, in lower case
_EMPTY = frozenset(("", "-1", "-", "nan", "none", "null", "[]", "empty", "0", "1 0", "0 0"))
_LETTERS = {"columns": "F", "rows": "C"}


def is_empty(cell: str) -> bool:
    """Whether a cell of a table of masks says that there is none: nothing, -1, NaN, none, ..."""
    return cell.strip().lower() in _EMPTY


def encode(mask: Array, order: str = "columns") -> str:
    """The run lengths of a mask (H, W) of bools, or of zeros and others."""
    flat = np.asarray(mask, dtype=bool).ravel(order=_letter(order))
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    return " ".join(map(str, np.column_stack([starts + 1, ends - starts]).ravel().tolist()))


def decode(text: str, height: int, width: int, order: str = "columns") -> Array:
    """(H, W) bool: the mask of the run lengths.

    Raises DataError for text that is not pairs of whole numbers, for empty runs, for runs that
    overlap or are out of order, and for runs that begin before or end beyond the image.
    """
    starts, lengths = runs(text, height * width)
    flat = np.zeros(height * width, dtype=bool)
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[starts] += 1
    steps[starts + lengths] -= 1
    flat[:] = np.cumsum(steps[:-1]) > 0
    return flat.reshape((height, width), order=_letter(order))


def runs(text: str, pixels: int) -> tuple[Array, Array]:
    """Where each run begins (from 0) and how long it is; raises what `decode` raises."""
    words = text.split()
    try:
        numbers = np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OverflowError) as problem:
        raise DataError(f"not run lengths: {_shown(text)}") from problem
    if len(numbers) % 2:
        raise DataError(f"run lengths are pairs, these are {len(numbers)} numbers: {_shown(text)}")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if (lengths < 1).any() or (starts < 0).any():
        raise DataError(f"starts and lengths are at least 1: {_shown(text)}")
    beyond = lengths > pixels - starts  # their sum might not fit 64 bits
    if beyond.any():
        end = int(starts[beyond][0]) + int(lengths[beyond][0])
        raise DataError(f"a run ends at pixel {end} of an image of {pixels}: {_shown(text)}")
    ends = starts + lengths
    if (starts[1:] < ends[:-1]).any():
        raise DataError(f"runs overlap or are out of order: {_shown(text)}")
    return starts, lengths


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _letter(order: str) -> Any:
    return _LETTERS[order]
