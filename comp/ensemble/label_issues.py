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
    """Doubted labels: the confident ones first, then those with another class more probable; each
    kind by its margin.

    `rows`    (K,) row numbers
    `given`   (K,) the class number of the label
    `likely`  (K,) the class that the row is more likely
    `margin`  (K,) probability of the label minus that of the likely class, -1 .. 1
    `sure`    (K,) whether the row is confidently that class
    """

    rows: Array
    given: Array
    likely: Array
    margin: Array
    sure: Array


def find_doubted(target: Array, probs: Array) -> Issues:
    """The doubted rows among rows with one class each, ranked by the normalized margin.

    target: (N,) class numbers; probs: (N, classes), out of fold, rows that sum to 1. A class that
    no row has cannot be confident of anything.
    """
    rows = np.arange(len(target))
    means = np.full(probs.shape[1], np.inf)
    for number in np.unique(target):
        means[number] = probs[target == number, number].mean()
    confident = np.where(probs >= means, probs, -1.0)
    sure = confident.argmax(axis=1)
    is_sure = (confident[rows, sure] >= 0) & (sure != target)
    likely = np.where(is_sure, sure, probs.argmax(axis=1))
    margin = probs[rows, target] - probs[rows, likely]
    found = rows[likely != target]
    found = found[np.lexsort((margin[found], ~is_sure[found]))]
    return Issues(found, target[found], likely[found], margin[found], is_sure[found])
