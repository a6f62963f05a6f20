"""The metrics: what each one wants, which way is up, and how it is computed.

Each metric is one function of row weights, because a bootstrap is nothing but other weights: the
plain score has a weight of one everywhere. Targets and labels are (N,) class numbers or (N, C)
zeros and ones; probabilities are (N, C), binary ones (N, 1). A cell of a target may be unknown
(`comp.tasks.counts.UNKNOWN`): it is left out, and so is a column or an image of which nothing is
known. scikit-learn is the judge in the tests; it is not called here, since 500 bootstrap rounds of
it would take minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from comp.core.errors import CompError, ConfigError
from comp.tasks.class_metrics import CLASS_METRICS, distances
from comp.tasks.counts import (
    RATIOS,
    Ratio,
    class_scores,
    count_pixels,
    divide,
    image_scores,
    known_cells,
    mean_of_defined,
    pixel_accuracy,
    without_unknown,
)
from comp.tasks.kinds import TASKS, TargetKind, Task, one_hot
from comp.tasks.number_metrics import NUMBER_METRICS
from comp.tasks.regions.boundaries import BOUNDARY_METRICS, ByClass, Measure
from comp.tasks.regions.objects import OBJECT_METRICS

Array = np.ndarray[Any, Any]
Weighted = Callable[[Array, Array, int, Array], Array]
Counts = Callable[[Array, Array, Array, Array], Array]
Costs = Callable[[int], Array]

_CLIP = 1e-15  # a certain and wrong probability costs 34.5 in log loss, not infinity


@dataclass(frozen=True)
class Metric:
    """One way to score answers.

    `weighted`           target, answer, classes, weights (R, N) -> R scores, one per row of weights
    `wants`              "labels" (decisions, in the shape of the target), "probs" (of numbers the
                         numbers themselves), or for masks
                         "counts" (N, C, 4), see `comp.tasks.counts`, in place of the target too
    `greater_is_better`  which way is up
    `of`                 the targets that it is defined for: "class" (one class per image),
                         "columns" (0/1 columns per image), "numbers", "pixels" (segmentation)
    `by_class`           "class": (tp, fp, fn, tn) of one class -> its part; the metric is
                         proportional to the mean of the parts that are not NaN
    `by_column`          "columns": the same of one column
    `by_total`           "columns": the same of the counts of all columns together
    `by_row`             "columns": the same of the counts of one image; the metric is their mean
    `cost`               "class": K -> (K, K) what each answer (second) costs a class; the metric
                         falls with the mean cost, or (`by_chance`) with its ratio to what answers
                         with the same shares cost by chance
    All are None where the metric is no function of such counts; a rule is then not tuned exactly.
    `ratio`              "pixels": what is computed from the counts of a column,
    `by_image`           ... for each image, and then averaged, instead of over the whole set,
    `background`         ... of the background too, where it has a column
    `measure`            "pixels": what an image gives in the place of counts, see
                         `comp.tasks.regions`; None for counts of pixels
    `by_measure`         ... the score of each class from what the images gave
    `known_only`         whether it leaves out unknown cells
    `searched`           whether a rule is searched by its score alone, which costs many scores
    `parts`              of several tasks in one network: the metric of each
    `source`             what has to be bound to the data before it scores (see
                         `comp.tasks.official`), or None
    """

    name: str
    weighted: Weighted
    wants: Literal["labels", "probs", "counts"]
    greater_is_better: bool
    of: tuple[TargetKind, ...]
    by_class: Counts | None = None
    by_column: Counts | None = None
    by_total: Counts | None = None
    by_row: Counts | None = None
    cost: Costs | None = None
    by_chance: bool = False
    ratio: Ratio | None = None
    by_image: bool = False
    background: bool = False
    measure: Measure | None = None
    by_measure: ByClass | None = None
    known_only: bool = True
    searched: bool = False
    source: Any = None
    parts: tuple[Metric, ...] = ()

    def score(
        self, target: Array, answer: Array, classes: int, weights: Array | None = None
    ) -> float:
        """The score of `answer`; NaN where the metric is not defined on these targets.

        weights: (N,) how much each image counts; None: all alike.
        Raises CompError when target and answer do not have the rows, or the columns, in common.
        """
        if len(target) != len(answer) or (self.wants == "labels" and target.shape != answer.shape):
            raise CompError(
                f"{self.name}: a target of shape {target.shape} for {self.wants} of shape "
                f"{answer.shape}; they must be aligned by id first"
            )
        rows = np.ones((1, len(target))) if weights is None else np.asarray(weights)[None]
        return float(self.weighted(target, answer, classes, rows)[0])

    def row_weights(self, weights: Array | None) -> Array | None:
        """The weights of `data.weight` for this metric: none for one of a file, which knows whole
        numbers of images only and finds the column in its solution."""
        return weights if self.source is None else None

    def of_image(self, truth: Array, labels: Array, probs: Array | None, columns: int) -> Array:
        """(C, 4) counts of one image, or what this metric measures of it.

        truth, labels: masks (L, H, W) uint8; probs: (C, H, W), or None.
        """
        if self.measure is None:
            return count_pixels(truth, labels, columns)
        return self.measure(truth, labels, probs, columns)

    def class_scores(self, counts: Array, classes: int) -> Array:
        """(C,) the score of each column over the set, in the order of the columns: (N, C, ...) what
        `of_image` gave; of a metric without a score per class its Dice."""
        if self.by_measure is None:
            return class_scores(counts, self.ratio or RATIOS["dice"])
        own = self.by_measure(counts[:, counts.shape[1] - classes :], np.ones((1, len(counts))))[0]
        return np.concatenate([np.full(counts.shape[1] - classes, np.nan), own])

    def better(self, new: float, old: float) -> bool:
        """Whether `new` beats `old`. NaN never beats anything; any number beats NaN."""
        if math.isnan(new) or math.isnan(old):
            return math.isnan(old) and not math.isnan(new)
        return new > old if self.greater_is_better else new < old

    def column_score(self, target_ndim: int) -> Counts | None:
        """What a threshold on one column is tuned by: (tp, fp, fn, tn) -> score of each.

        With one class per image (`target_ndim` 1) the column separates two classes; both count.
        """
        part = self.by_class
        if target_ndim == 2 or part is None:
            return self.by_column if target_ndim == 2 else None
        return lambda tp, fp, fn, tn: mean_of_defined(
            np.stack([part(tp, fp, fn, tn), part(tn, fn, fp, tp)], axis=-1)
        )


def _f1(tp: Array, fp: Array, fn: Array, _tn: Array) -> Array:
    """F1 of the positive class; NaN where it is neither in the target nor in the answer."""
    return divide(2 * tp, 2 * tp + fp + fn)


def _share_hit(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return np.asarray(tp / (tp + fp + fn + tn))


def _share_right(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return np.asarray((tp + tn) / (tp + fp + fn + tn))


def _macro_f1(target: Array, labels: Array, classes: int, weights: Array) -> Array:
    """The mean F1 over classes, or over columns; one that occurs nowhere does not count."""
    target, labels, _ = _of_known(target, labels)
    hit = (target == labels) & ((target > 0) | (target.ndim == 1))
    tally = _tally_columns if target.ndim == 2 else _tally_classes
    tp = tally(target, hit, classes, weights)
    both = tally(target, None, classes, weights) + tally(labels, None, classes, weights)
    return mean_of_defined(divide(2 * tp, both))


def _of_known(target: Array, labels: Array) -> tuple[Array, Array, Array | None]:
    """Both with zeros where the target is unknown, and which cells are known; None: all."""
    known = known_cells(target)
    return without_unknown(target, known), without_unknown(labels, known), known


def _of_known_rows(values: Array, known: Array | None, weights: Array) -> Array:
    """The weighted mean over the images of which something is known."""
    if known is None:
        return _weighted_mean(values, weights)
    return _weighted_mean(values, weights * known.any(axis=1))


def _tally_classes(labels: Array, chosen: Array | None, classes: int, weights: Array) -> Array:
    """(R, classes): the weight of each class among the rows that are chosen (None: all)."""
    rows = np.arange(len(labels)) if chosen is None else np.flatnonzero(chosen)
    picked = labels[rows]
    return np.stack([np.bincount(picked, row[rows], classes) for row in weights])


def _tally_columns(labels: Array, chosen: Array | None, _: int, weights: Array) -> Array:
    """(R, C): the weight of the positives of each column among the cells that are chosen."""
    return np.asarray(weights @ (labels if chosen is None else chosen).astype(weights.dtype))


def _micro_f1(target: Array, labels: Array, classes: int, weights: Array) -> Array:
    """F1 of all (image, label) cells together; with one class per image it is the accuracy."""
    if target.ndim == 1:
        return _accuracy(target, labels, classes, weights)
    target, labels, _ = _of_known(target, labels)
    hits = ((target > 0) & (labels > 0)).sum(axis=1).astype(np.float64)
    both = target.sum(axis=1) + labels.sum(axis=1).astype(np.float64)
    return divide(2 * (weights @ hits), weights @ both)


def _f1_of_a_row(tp: Array, fp: Array, fn: Array, _tn: Array) -> Array:
    """F1 of the labels of one image; 1 for an image that has none and is given none."""
    return np.nan_to_num(_f1(tp, fp, fn, _tn), nan=1.0)


def _sample_f1(target: Array, labels: Array, _: int, weights: Array) -> Array:
    """The mean over images of the F1 of each one's labels."""
    target, labels, known = _of_known(target, labels)
    hits = ((target > 0) & (labels > 0)).sum(axis=1)
    extra, missed = labels.sum(axis=1) - hits, target.sum(axis=1) - hits
    return _of_known_rows(_f1_of_a_row(hits, extra, missed, hits), known, weights)


def _accuracy(target: Array, labels: Array, _: int, weights: Array) -> Array:
    """The share of images that are right; with several columns, right in every one."""
    target, labels, known = _of_known(target, labels)
    right = (target == labels).reshape(len(target), -1).all(axis=1)
    return _of_known_rows(right, known, weights)


def _label_accuracy(target: Array, labels: Array, _: int, weights: Array) -> Array:
    """The share of (image, label) cells that are right; columns are averaged."""
    return _mean_of_cells(target == labels, known_cells(target), weights)


def _mean_of_cells(values: Array, known: Array | None, weights: Array) -> Array:
    """The mean of (N, C) cells: over the images, or in each column over those of which it is known,
    and then over the columns."""
    if known is None:
        return _weighted_mean(values.mean(axis=1), weights)
    sums = weights @ np.where(known, values, 0).astype(np.float64)
    return mean_of_defined(divide(sums, weights @ known.astype(np.float64)))


def _weighted_mean(values: Array, weights: Array) -> Array:
    return divide(weights @ values.astype(np.float64), weights.sum(axis=1))


def _log_loss(target: Array, probs: Array, _: int, weights: Array) -> Array:
    """Minus the mean log of the probability of what is true; columns are averaged."""
    probs = np.asarray(probs, dtype=np.float64)
    if target.ndim == 1 and probs.shape[1] > 1:
        likely = np.take_along_axis(probs, target[:, None], axis=1)
    else:
        likely = np.where(target.reshape(probs.shape) > 0, probs, 1 - probs)
    return _mean_of_cells(-np.log(likely.clip(_CLIP, 1 - _CLIP)), known_cells(target), weights)


def _roc_auc(target: Array, probs: Array, _: int, weights: Array) -> Array:
    """The mean area under the ROC curve over columns that hold both zeros and ones.

    One class per image: each class against the rest (binary: the one column).
    """
    columns = probs.shape[1]
    by_class = target.ndim == 1 and columns > 1
    truth = (one_hot(target, columns) if by_class else target.reshape(probs.shape)) > 0
    known = known_cells(target)
    if known is not None:
        parts = [(truth[k, c], probs[k, c], weights[:, k]) for c, k in enumerate(known.T)]
    else:
        parts = [(truth[:, c], probs[:, c], weights) for c in range(columns)]
    areas = [_area(*part) for part in parts]
    return mean_of_defined(np.stack(areas, axis=-1))


def _area(truth: Array, scores: Array, weights: Array) -> Array:
    """(R,): how often a positive scores above a negative; a tie counts half (Mann-Whitney)."""
    order = np.argsort(scores)
    ones, zeros = order[truth[order]], order[~truth[order]]
    below = np.searchsorted(scores[zeros], scores[ones], side="left")
    up_to = np.searchsorted(scores[zeros], scores[ones], side="right")
    areas, mass = np.empty(len(weights)), np.zeros(len(zeros) + 1)
    for number, row in enumerate(weights):  # one by one: a row stays in the processor's cache
        np.cumsum(row[zeros], out=mass[1:])
        drawn = row[ones]
        pairs = (drawn * (mass[below] + mass[up_to])).sum() / 2
        areas[number] = divide(pairs, drawn.sum() * mass[-1])
    return areas


def _regions(ratio: Ratio, *, by_image: bool, background: bool) -> Weighted:
    """A score of counts (N, C, 4): the mean over columns, of the set or of each image."""

    def weighted(_: Array, counts: Array, classes: int, weights: Array) -> Array:
        own = counts if background else counts[:, counts.shape[1] - classes :]
        if by_image:
            return _weighted_mean(image_scores(own, ratio).mean(axis=1), weights)
        return mean_of_defined(class_scores(own, ratio, weights))

    return weighted


def _measured(by_measure: ByClass) -> Weighted:
    """A score of measures (N, C, K): the mean over the classes, without the background."""

    def weighted(_: Array, measures: Array, classes: int, weights: Array) -> Array:
        own = measures[:, measures.shape[1] - classes :]
        return mean_of_defined(by_measure(own, weights))

    return weighted


def _pixel_accuracy(_: Array, counts: Array, _classes: int, weights: Array) -> Array:
    return pixel_accuracy(counts, weights)


def _region_metrics() -> list[Metric]:
    """dice, iou, f1, precision, recall: each over the set or (`image_...`) over images, without
    the background or (`..._background`) with it."""
    return [
        Metric(
            f"{'image_' * by_image}{name}{'_background' * background}",
            _regions(ratio, by_image=by_image, background=background),
            "counts",
            True,
            _PIXELS,
            ratio=ratio,
            by_image=by_image,
            background=background,
        )
        for name, ratio in RATIOS.items()
        for by_image in (False, True)
        for background in (False, True)
    ]


_PIXELS: tuple[TargetKind, ...] = ("pixels",)
_IMAGES: tuple[TargetKind, ...] = ("class", "columns")
_COLUMNS: tuple[TargetKind, ...] = ("columns",)

METRICS = {
    metric.name: metric
    for metric in (
        Metric("macro_f1", _macro_f1, "labels", True, _IMAGES, by_class=_f1, by_column=_f1),
        Metric(
            "accuracy", _accuracy, "labels", True, _IMAGES, by_class=_share_hit, cost=distances(0)
        ),
        Metric(
            "label_accuracy",
            _label_accuracy,
            "labels",
            True,
            _COLUMNS,
            by_column=_share_right,
        ),
        Metric(
            "micro_f1",
            _micro_f1,
            "labels",
            True,
            _IMAGES,
            by_class=_share_hit,
            by_total=_f1,
            cost=distances(0),
        ),
        Metric("sample_f1", _sample_f1, "labels", True, _COLUMNS, by_row=_f1_of_a_row),
        Metric("log_loss", _log_loss, "probs", False, _IMAGES),
        Metric("roc_auc", _roc_auc, "probs", True, _IMAGES),
        Metric("pixel_accuracy", _pixel_accuracy, "counts", True, _PIXELS),
        *(
            Metric(name, **{"greater_is_better": True, **entry})
            for name, entry in CLASS_METRICS.items()
        ),
        *(
            Metric(name, function, "probs", up, ("numbers",))
            for name, (function, up) in NUMBER_METRICS.items()
        ),
        *_region_metrics(),
        *(
            Metric(
                name,
                _measured(by_measure),
                "counts",
                up,
                _PIXELS,
                measure=measure,
                by_measure=by_measure,
            )
            for name, (measure, by_measure, up) in {**BOUNDARY_METRICS, **OBJECT_METRICS}.items()
        ),
    )
}


def check_metric(metric: Metric, task: Task) -> None:
    """Raise ConfigError when `metric` is not defined for this kind of task."""
    if task.target_kind in metric.of:
        return
    kinds = [other.name for other in TASKS.values() if other.target_kind in metric.of]
    fitting = [other.name for other in METRICS.values() if task.target_kind in other.of]
    raise ConfigError(
        f"metric: {metric.name!r} is defined for {', '.join(kinds)}, not for {task.name}; "
        f"for {task.name} there are: {', '.join(fitting) or 'none'}"
    )
