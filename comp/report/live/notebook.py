"""Folds in training in a notebook: bars and curves in one output that is kept up to date.

It needs nothing of the notebook but IPython's own display, so that it works in Jupyter, Colab and
Kaggle alike.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from comp.report.live.page import charts_of
from comp.report.live.rows import LiveRun, about
from comp.report.page import part
from comp.report.run.page import asset


class NotebookPicture:
    """One output of the running cell; lines are printed as messages are."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._epochs = -1
        self._charts: list[tuple[str, Markup]] = []

    def show(self, runs: Sequence[LiveRun]) -> None:
        """Draw this run, one in a list, in the place of the one before."""
        (run,) = runs
        epochs = sum(fold.epochs for fold in run.folds)
        if epochs != self._epochs:  # a curve changes with an epoch only
            self._epochs, self._charts = epochs, charts_of(run.folds, run.metric)
        style = Markup(asset("live.css"))
        html = part("live", "notebook", run, self._charts, about(run), style)
        display: Any = sys.modules["IPython.display"]
        if self._handle is None:
            self._handle = display.display(display.HTML(str(html)), display_id=True)
        else:
            self._handle.update(display.HTML(str(html)))

    def above(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """The last state stays in the cell."""
