"""The regions of each class in the masks of one image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from comp.tasks.counts import IGNORED

Array = np.ndarray[Any, Any]


def layers(truth: Array, labels: Array, columns: int) -> Iterator[tuple[int, Array, Array]]:
    """The column of each class, and its truth and answer (H, W) bool, without the background.

    truth, labels: (L, H, W) uint8, see `comp.tasks.counts.count_pixels`. What is ignored is in
    neither.
    """
    if len(truth) == 1 and columns > 1:
        judged = truth[0] != IGNORED
        for number in range(1, columns):
            yield number, truth[0] == number, (labels[0] == number) & judged
        return
    for column in range(columns):
        judged = truth[column] != IGNORED
        yield column, truth[column] == 1, (labels[column] == 1) & judged


def cropped(one: Array, other: Array) -> tuple[Array, Array]:
    """Both cut to the box that holds them, with a pixel of nothing around; one of them holds
    something."""
    both = one | other
    down, across = np.flatnonzero(both.any(axis=1)), np.flatnonzero(both.any(axis=0))
    box = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)
    return np.pad(one[box], 1), np.pad(other[box], 1)
