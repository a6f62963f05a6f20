"""Cells that hold the most likely classes of an image, the likeliest first: `w_3 new w_17`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SEPARATOR = " "


def places_of(found: frozenset[str], texts: Sequence[str], separator: str = SEPARATOR) -> int:
    """How many classes each cell of a sample holds; 1 where it does not list several.

    found: the different cells; texts: how the classes are written. All cells have the same number
    of parts, each a class, or a class number: a sample may repeat one as a placeholder.
    """
    parts = [cell.split(separator) for cell in found]
    counts = {len(part) for part in parts}
    if len(counts) != 1 or found & {*texts}:
        return 1
    (count,) = counts
    numbers = {str(number) for number in range(len(texts))}
    known = all({*part} <= {*texts} or {*part} <= numbers for part in parts)
    return count if known and count <= len(texts) else 1


def most_likely(
    texts: Sequence[str], labels: Array, probs: Array, count: int, separator: str = SEPARATOR
) -> list[str]:
    """A cell of `count` classes for each row: its label, then the most probable others.

    labels: (N,) class numbers; probs: (N, C), or (N, 1) of the last of two classes. Of classes that
    tie, the first in the order of the columns comes first.
    """
    probs = np.concatenate([1 - probs, probs], axis=1) if probs.shape[1] == 1 else probs
    ranked = -np.asarray(probs, dtype=np.float64)
    ranked[np.arange(len(labels)), labels] = -np.inf
    order = np.argsort(ranked, axis=1, kind="stable")[:, :count]
    return [separator.join(texts[number] for number in row) for row in order]
