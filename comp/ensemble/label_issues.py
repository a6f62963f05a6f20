"""Which training labels are doubted by models that never saw them.

Confident learning: C. Northcutt, L. Jiang, I. Chuang, Confident learning: estimating uncertainty in
dataset labels, JAIR 70 (2021). A row is an issue when it is confidently another class: its
probability there reaches the mean that rows of that class have, and is the largest that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp.tasks.counts import RATIOS, UNKNOWN, image_scores

Array = np.ndarray[Any, Any]

SURE_ERROR, DOUBTED_ERROR = 4.0, 2.5  # standard deviations
SURE_DICE = 0.05  # below it truth and prediction hardly touch
_LEAST_STEP = 0.25  # of a grade: the smallest usual error


# what the models are sure of: of classes, of numbers and grades, of masks
SURE_TEXTS = {
    "class": "confident: the likely class has at least its mean probability over the rows "
    "labelled so",
    "far": f"confident: the error is more than {SURE_ERROR:g} of the usual ones",
    "mask": f"confident: the Dice of mask and prediction is below {SURE_DICE:g}",
}


@dataclass(frozen=True)
class LabelIssue:
    """One doubted label: of an image, or of one class of an image with several labels or masks.

    `row`     the row of the image in the evidence; `id` its id
    `label`   the class that is doubted, where an image can have several; otherwise empty
    `given`   what the label says
    `likely`  what the models say
    `margin`  probability of the label minus that of the likely class, -1 to 1; for masks the Dice
              of label and prediction, 0 to 1; for numbers minus the error in standard errors
    `sure`    whether the models are confident
    """

    row: int
    id: str
    label: str
    given: str
    likely: str
    margin: float
    sure: bool


@dataclass(frozen=True)
class Doubted:
    """Doubted rows: the confident ones first, then those with another class more probable; each
    kind by its margin.

    `rows`    (K,) row numbers
    `given`   (K,) the class number of the label
    `likely`  (K,) the class that the row is more likely
    `margin`  (K,) probability of the label minus that of the likely class, -1 to 1
    `sure`    (K,) whether the row is confidently that class
    """

    rows: Array
    given: Array
    likely: Array
    margin: Array
    sure: Array


def find_doubted(target: Array, probs: Array) -> Doubted:
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
    return Doubted(found, target[found], likely[found], margin[found], is_sure[found])


def class_issues(
    ids: Sequence[str], classes: Sequence[str], target: Array, probs: Array
) -> list[LabelIssue]:
    """The issues of images with one class each. target: (N,); probs: (N, classes)."""
    found = find_doubted(target, probs)
    columns = (found.rows, found.given, found.likely, found.margin, found.sure)
    return [
        LabelIssue(row, ids[row], "", classes[given], classes[likely], margin, sure)
        for row, given, likely, margin, sure in zip(*(c.tolist() for c in columns), strict=True)
    ]


def column_issues(
    ids: Sequence[str], classes: Sequence[str], target: Array, probs: Array
) -> list[LabelIssue]:
    """The issues of images with a 0/1 label per class, ranked together.

    Each column is a choice between 0 and 1; an unknown cell is no issue. target, probs: (N, C).
    """
    out = []
    for c, name in enumerate(classes):
        rows = np.flatnonzero(target[:, c] != UNKNOWN).tolist()
        both = np.stack([1 - probs[rows, c], probs[rows, c]], axis=1)
        for issue in class_issues([ids[row] for row in rows], ("0", "1"), target[rows, c], both):
            out.append(replace(issue, row=rows[issue.row], label=name))
    return sorted(out, key=lambda issue: (not issue.sure, issue.margin))


def grade_issues(
    ids: Sequence[str], classes: Sequence[str], target: Array, expected: Array
) -> list[LabelIssue]:
    """The grades that are furthest from the expected ones, as `number_issues` finds them. target:
    (N,) grades; expected: (N,) from 0 to K - 1."""
    found = number_issues(ids, ("",), target[:, None], expected[:, None], _LEAST_STEP)
    likely = np.rint(expected).astype(np.int64)
    return [
        replace(one, given=classes[target[one.row]], likely=classes[likely[one.row]])
        for one in found
    ]


def number_issues(
    ids: Sequence[str],
    names: Sequence[str],
    target: Array,
    answer: Array,
    least: float = np.finfo(np.float64).tiny,
) -> list[LabelIssue]:
    """The numbers that are furthest from what models say, largest error first. target, answer:
    (N, C) float64.

    Errors are in robust standard deviations of the errors of their column (1.4826 times the median
    of their sizes, `least` at the least); beyond `SURE_ERROR` of them the models are sure.
    """
    errors = np.abs(answer - target)
    scale = np.maximum(1.4826 * np.median(errors, axis=0), least)
    sizes = errors / scale
    order = np.argsort(-sizes, axis=None, kind="stable")
    places = [divmod(int(place), len(names)) for place in order]
    return [
        LabelIssue(
            row,
            ids[row],
            names[column] if len(names) > 1 else "",
            f"{target[row, column]:.6g}",
            f"{answer[row, column]:.6g}",
            -float(sizes[row, column]),
            bool(sizes[row, column] > SURE_ERROR),
        )
        for row, column in places
        if sizes[row, column] > DOUBTED_ERROR
    ]


def mask_issues(ids: Sequence[str], classes: Sequence[str], counts: Array) -> list[LabelIssue]:
    """The issues of masks: each class that an image has or is predicted to have, lowest Dice first.

    counts: (N, C, 4), see `comp.tasks.counts`.
    """
    own = counts[:, counts.shape[1] - len(classes) :]
    dice = image_scores(own, RATIOS["dice"])
    marked, predicted = (own[..., 0] + own[..., 2]) > 0, (own[..., 0] + own[..., 1]) > 0
    pairs = [(float(dice[r, c]), int(r), int(c)) for r, c in np.argwhere(marked | predicted)]
    pairs.sort(key=lambda pair: (pair[0], -int(own[pair[1], pair[2], 1:3].sum())))
    words = {True: "marked", False: "nothing"}
    return [
        LabelIssue(
            row,
            ids[row],
            classes[c],
            words[bool(marked[row, c])],
            words[bool(predicted[row, c])],
            score,
            score < SURE_DICE,
        )
        for score, row, c in pairs
    ]
