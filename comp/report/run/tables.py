"""What is right and wrong by class, by pair of classes and by slice of the images, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.ensemble.cross_fit import LEAST_UNITS, bootstrap, units_of
from comp.report.run.answers import OofAnswers
from comp.report.run.curves import curve_of
from comp.tasks.class_metrics import confusion
from comp.tasks.counts import divide

Array = np.ndarray[Any, Any]

_ROUNDS = 200  # of the bootstrap of a slice


@dataclass(frozen=True)
class ClassRow:
    """One class: `support` images that have it, `given` images that are given it; the scores of the
    answers, and of the probabilities the areas under ROC and under precision and recall; NaN where
    undefined. `threshold`: of the rule, None where the rule has none."""

    name: str
    support: int
    given: int
    precision: float
    recall: float
    f1: float
    auc: float
    average_precision: float
    threshold: float | None


def class_rows(found: OofAnswers) -> list[ClassRow]:
    """A row for each class, in the order of the classes; not for numbers."""
    hit = (found.truth & found.said & found.known).sum(axis=0).astype(float)
    support = (found.truth & found.known).sum(axis=0)
    given = (found.said & found.known).sum(axis=0)
    precision, recall = divide(hit, given), divide(hit, support)
    f1 = divide(2 * hit, support + given)
    limits = thresholds(found)
    rows = []
    for number, name in enumerate(found.classes):
        known = found.known[:, number]
        curve = curve_of(found.truth[known, number], found.chance[known, number])
        rows.append(
            ClassRow(
                name,
                support=int(support[number]),
                given=int(given[number]),
                precision=float(precision[number]),
                recall=float(recall[number]),
                f1=float(f1[number]),
                auc=curve.area,
                average_precision=curve.average_precision,
                threshold=limits[number],
            )
        )
    return rows


def thresholds(found: OofAnswers) -> list[float | None]:
    """The threshold of each class, where the answers are made by one."""
    if found.task.link.tuner != "thresholds":
        return [None] * len(found.classes)
    rule = [float(value) for value in found.rule]
    return [1 - rule[0], rule[0]] if found.target.ndim == 1 else list(rule)


@dataclass(frozen=True)
class NumberRow:
    """One column of numbers: the errors of its answers (mean, mean absolute, root mean square), the
    share of its variance that they explain, Pearson's correlation."""

    name: str
    mean: float
    spread: float
    bias: float
    mae: float
    rmse: float
    r2: float
    correlation: float


def number_rows(found: OofAnswers) -> list[NumberRow]:
    """A row for each column of numbers."""
    rows = []
    for number, name in enumerate(found.classes):
        known = np.isfinite(found.target[:, number])
        truth, said = found.target[known, number], found.numbers[known, number]
        error, spread = said - truth, float(truth.std())
        rmse = float(np.sqrt((error**2).mean()))
        flat = spread == 0 or float(said.std()) == 0
        pearson = float("nan") if flat else float(np.corrcoef(truth, said)[0, 1])
        r2 = float("nan") if spread == 0 else 1 - rmse**2 / spread**2
        mae, bias = float(np.abs(error).mean()), float(error.mean())
        rows.append(NumberRow(name, float(truth.mean()), spread, bias, mae, rmse, r2, pearson))
    return rows


@dataclass(frozen=True)
class Pair:
    """Images of class `truth` that were given `said`: `count`, their `share` of the class, and the
    rows of some of them, the most certain first. Classes are numbers."""

    truth: int
    said: int
    count: int
    share: float
    rows: tuple[int, ...]


def confusion_of(found: OofAnswers) -> Array:
    """(K, K) counts, truth in rows. Of 0/1 columns: images that have a and are not given it, and
    are given b without having it."""
    classes = len(found.classes)
    if found.target.ndim == 1:
        weights = np.ones((1, len(found)))
        return np.asarray(confusion(found.target, found.labels, classes, weights)[0]).astype(int)
    missed = (found.truth & ~found.said & found.known).astype(np.float32)
    extra = (found.said & ~found.truth & found.known).astype(np.float32)
    return np.asarray(np.rint(missed.T @ extra)).astype(int)


def pairs_of(found: OofAnswers, table: Array, most: int, examples: int) -> list[Pair]:
    """The pairs of classes that are confused most often, each with rows of examples."""
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    support = np.maximum((found.truth & found.known).sum(axis=0), 1)
    pairs = []
    for place in order:
        a, b = divmod(int(place), len(wrong))
        count = int(wrong[a, b])
        if not count:
            break
        own = found.truth[:, a] & ~found.said[:, a] & found.said[:, b] & ~found.truth[:, b]
        rows = np.flatnonzero(own & found.known[:, a] & found.known[:, b])
        surest = rows[np.argsort(-found.chance[rows, b], kind="stable")][:examples]
        pairs.append(Pair(a, b, count, count / int(support[a]), tuple(surest.tolist())))
    return pairs


@dataclass(frozen=True)
class Slice:
    """Some of the images: `kind` (fold, size, ...), `name`, how many, their score with its 95 %
    bootstrap interval (NaN where undefined
    and for fewer than `LEAST_UNITS` units), the share of them that is wrong, and how many of them
    (or of their groups) are independent.

    The share that is wrong can be compared between slices; a score such as kappa or a macro mean
    also depends on which classes a slice holds.
    """

    kind: str
    name: str
    images: int
    score: float
    low: float
    high: float
    wrong: float
    units: int


def slice_of(found: OofAnswers, kind: str, name: str, rows: Array, seed: int) -> Slice:
    """The score of some rows, (n,) numbers, with its interval."""
    part = (found.target[rows], found.sent[rows])
    own = None if found.weights is None else found.weights[rows]
    score = found.metric.score(*part, len(found.classes), own)
    low = high = float("nan")
    groups = None if found.groups is None else [found.groups[row] for row in rows]
    units = units_of(len(rows), groups)
    if units >= LEAST_UNITS:
        low, high = bootstrap(
            found.metric, *part, len(found.classes), groups, seed, rounds=_ROUNDS, weights=own
        )
    wrong = float(found.wrong[rows].mean()) if len(rows) else float("nan")
    return Slice(kind, name, len(rows), score, low, high, wrong, units)


def fold_slices(found: OofAnswers, seed: int) -> list[Slice]:
    """The score of each fold."""
    numbers = np.unique(found.fold).tolist()
    places = [np.flatnonzero(found.fold == number) for number in numbers]
    return [
        slice_of(found, "fold", str(number), rows, seed)
        for number, rows in zip(numbers, places, strict=True)
    ]


def binned_slices(
    found: OofAnswers, kind: str, rows: Array, values: Array, names: Sequence[str], seed: int
) -> list[Slice]:
    """The score by quantiles of a number of some images: `rows` (n,) with `values` (n,). names: of
    the bins, low to high. Bins that tie together are one; with fewer than two there is none."""
    if not len(values):
        return []
    edges = np.unique(np.quantile(values, np.linspace(0, 1, len(names) + 1)))
    if len(edges) < 3:
        return []
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    plain = len(edges) == len(names) + 1
    out = []
    for number in range(len(edges) - 1):
        chosen = rows[place == number]
        if len(chosen):
            span = f"{edges[number]:.3g} to {edges[number + 1]:.3g}"
            name = f"{names[number]}: {span}" if plain else span
            out.append(slice_of(found, kind, name, chosen, seed))
    return out


@dataclass(frozen=True)
class Group:
    """The images of a group and the share of them that is wrong."""

    name: str
    images: int
    wrong: float


def group_rows(found: OofAnswers, most: int) -> tuple[list[Group], int]:
    """Groups by the share of their images that are wrong, the worst first, and how many there
    are."""
    if found.groups is None:
        return [], 0
    names, place = np.unique(
        np.asarray(found.groups, dtype=object).astype(str), return_inverse=True
    )
    count = np.bincount(place, minlength=len(names))
    wrong = np.bincount(place, found.wrong.astype(float), len(names)) / count
    order = np.lexsort((np.arange(len(names)), -count, -wrong))[:most]
    return [Group(str(names[n]), int(count[n]), float(wrong[n])) for n in order], len(names)


def gallery_rows(found: OofAnswers, worst: int, doubted: int) -> list[int]:
    """Rows of the worst answers, and of the most doubted labels that are not among them."""
    rows: list[int] = np.argsort(-found.badness, kind="stable")[:worst].tolist()
    there = set(rows)
    for issue in found.issues:
        if doubted and issue.row not in there:
            there.add(issue.row)
            rows.append(issue.row)
            doubted -= 1
    return rows
