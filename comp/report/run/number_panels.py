"""The charts of measured numbers: answers over truth, residuals, their distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from comp.report.run.answers import OofAnswers
from comp.report.run.charts import bar_chart, dot_chart

Array = np.ndarray[Any, Any]

_MOST, _POINTS, _BINS = 12, 1500, 30  # columns; points and bars of each


def number_panels(found: OofAnswers) -> list[tuple[str, list[Markup]]]:
    """Charts of each column. Of many images every n-th is a point."""
    return [(name, _panel(found, name, n)) for n, name in enumerate(found.classes[:_MOST])]


def _panel(found: OofAnswers, name: str, number: int) -> list[Markup]:
    truth, said = found.target[:, number], found.honest[:, number]
    error = said - truth
    some = np.arange(0, len(truth), -(-len(truth) // _POINTS))
    heights, edges = np.histogram(error, _BINS)
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
