"""Which training labels are most doubted by models that never saw them.

Confident learning: C. Northcutt, L. Jiang, I. Chuang, Confident learning: estimating uncertainty in
dataset labels, JAIR 70 (2021). A row is an issue when it is confidently another class: its
probability there reaches the mean that rows of that class have, and is the largest that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Issues:
    """Doubted labels, the most doubted first.

    `rows`    (K,) row numbers
    `given`   (K,) the class number of the label
    `likely`  (K,) the class that the row confidently is
    `margin`  (K,) probability of the label minus that of the likely class, -1 .. 1
    """

    rows: Array
    given: Array
    likely: Array
    margin: Array


def find_doubted(target: Array, probs: Array) -> Issues:
    """The issues among rows with one class each, ranked by the normalized margin.

    target: (N,) class numbers; probs: (N, classes), out of fold, rows that sum to 1. A class that
    no row has cannot be confident of anything.
    """
    rows = np.arange(len(target))
    means = np.full(probs.shape[1], np.inf)
    for number in np.unique(target):
        means[number] = probs[target == number, number].mean()
    confident = np.where(probs >= means, probs, -1.0)
    likely = confident.argmax(axis=1)
    doubted = (confident[rows, likely] >= 0) & (likely != target)
    margin = probs[rows, target] - probs[rows, likely]
    found = rows[doubted]
    found = found[np.argsort(margin[found], kind="stable")]
    return Issues(found, target[found], likely[found], margin[found])
