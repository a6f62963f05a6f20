"""The charts on the page of a run: of folds, of classes, of measured numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from comp.report.run.answers import OofAnswers
from comp.report.run.charts import Frame, Series, bar_chart, dot_chart, line_chart
from comp.report.run.curves import Reliability, curve_of
from comp.report.run.headline import FoldCurve
from comp.report.run.tables import ClassRow

Array = np.ndarray[Any, Any]

MOST = 60  # classes with charts of their own: those with the lowest scores
_BINS = 20
_COLUMNS, _POINTS, _BARS = 12, 1500, 30  # of numbers: columns, points and bars of each
_UNIT = Frame((0.0, 1.0), (0.0, 1.02))

LEAST_IN_BIN = 10  # answers of a bin of the reliability diagram; the share of fewer is noise


def fold_charts(folds: Sequence[FoldCurve], metric: str) -> list[tuple[str, Markup]]:
    """Titles and charts: loss, score and learning rate of every fold over its epochs."""
    if not folds:
        return []
    loss = [
        Series(f"{fold.name}, {words}", fold.epochs, fold.columns[name], fold.fold, dashed)
        for fold in folds
        for name, words, dashed in (
            ("train_loss", "training", True),
            ("valid_loss", "validation", False),
        )
        if name in fold.columns
    ]
    charts = []
    if loss:
        charts.append(
            ("Loss", line_chart(loss, _alt("loss", folds), ("epoch", "loss"), counted=True))
        )
    for title, name in (("Score", metric), ("Learning rate", "lr")):
        lines = [
            Series(fold.name, fold.epochs, fold.columns[name], fold.fold, dots=name == metric)
            for fold in folds
            if name in fold.columns
        ]
        if lines:
            label = metric if name == metric else "learning rate"
            charts.append(
                (title, line_chart(lines, _alt(label, folds), ("epoch", label), counted=True))
            )
    return charts


def _alt(what: str, folds: Sequence[FoldCurve]) -> str:
    ends = []
    for fold in folds:
        column = fold.columns.get(
            "valid_loss" if what == "loss" else what.replace("learning rate", "lr")
        )
        if column is not None and len(column):
            ends.append(f"{fold.name} ends at {column[-1]:.4g}")
    return f"The {what} of {len(folds)} folds over their epochs: {', '.join(ends)}."


def reliability_chart(found: Reliability) -> Markup:
    """The share that is right over the probability that was said, where enough said it."""
    drawn = found.count >= LEAST_IN_BIN
    line = Series("bins of probabilities", found.said[drawn], found.right[drawn], 0, dots=True)
    alt = (
        f"Reliability diagram: expected calibration error {found.error:.3f}, mean probability "
        f"minus the share that is right {found.lean:+.3f}."
    )
    return line_chart([line], alt, ("probability", "share right"), frame=_UNIT, diagonal=True)


def class_panels(
    found: OofAnswers, rows: Sequence[ClassRow]
) -> tuple[list[tuple[str, list[Markup]]], int]:
    """Charts of each class, the lowest F1 first: probabilities of the images that have it and of
    the others with its threshold, ROC, precision and recall; and how many classes have none."""
    order = sorted(range(len(rows)), key=lambda n: _rank(rows[n]))
    if found.target.ndim == 1 and len(rows) == 2:
        order = [1]  # the other one is its mirror image
    panels = [(rows[n].name, _panel(found, rows[n], n)) for n in order[:MOST]]
    return panels, len(order) - len(panels)


def _rank(row: ClassRow) -> tuple[bool, float]:
    return row.support == 0, 1.0 if np.isnan(row.f1) else row.f1


def _panel(found: OofAnswers, row: ClassRow, number: int) -> list[Markup]:
    known = found.known[:, number]
    truth, chance = found.truth[known, number], found.chance[known, number]
    edges = np.linspace(0, 1, _BINS + 1)
    shares = [
        (name, np.histogram(chance[own], edges)[0] / max(1, int(own.sum())), colour)
        for name, own, colour in (("has it", truth, 1), ("does not", ~truth, 0))
    ]
    marks = [] if row.threshold is None else [(f"threshold {row.threshold:.3f}", row.threshold)]
    name = row.name
    alt = f"Probabilities of {name}: {row.support} images have it, {int((~truth).sum())} do not."
    curve = curve_of(truth, chance)
    areas = f"area {row.auc:.3f}", f"average precision {row.average_precision:.3f}"
    roc = Series(areas[0], curve.fpr, curve.recall, 0)
    drawn = Series(areas[1], curve.recall, curve.precision, 2)
    return [
        bar_chart(shares, edges, alt, ("probability", "share of images"), marks),
        line_chart([roc], f"ROC of {name}: {areas[0]}.", ("false positive rate", "recall"),
                   frame=_UNIT, diagonal=True),
        line_chart([drawn], f"Precision over recall of {name}: {areas[1]}.",
                   ("recall", "precision"), frame=_UNIT),
    ]  # fmt: skip


def number_panels(found: OofAnswers) -> list[tuple[str, list[Markup]]]:
    """Charts of each column. Of many images every n-th is a point."""
    return [
        (name, _number_panel(found, name, n)) for n, name in enumerate(found.classes[:_COLUMNS])
    ]


def _number_panel(found: OofAnswers, name: str, number: int) -> list[Markup]:
    known = np.isfinite(found.target[:, number])
    truth, said = found.target[known, number], found.numbers[known, number]
    error = said - truth
    some = np.arange(0, len(truth), -(-len(truth) // _POINTS))
    low, high = float(error.min()), float(error.max())
    room = 0.0 if high - low > 1e-9 * max(abs(low), abs(high)) else abs(high) or 1.0
    heights, edges = np.histogram(error, _BARS, (low - room, high + room))
    rmse = float(np.sqrt((error**2).mean()))
    return [
        dot_chart(truth[some], said[some], f"Answers of {name} over the truth, {len(some)} images.",
                  ("truth", "answer"), diagonal=True),
        dot_chart(said[some], error[some],
                  f"Residuals of {name} over the answers; root mean square {rmse:.4g}.",
                  ("answer", "answer - truth")),
        bar_chart([("images", heights.astype(float), 0)], edges,
                  f"Distribution of the residuals of {name}; mean {error.mean():.4g}.",
                  ("answer - truth", "images"), [("no error", 0.0)]),
    ]  # fmt: skip
