"""The page of `comp watch`: its frame, and the parts that it asks for again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from comp.report.live.rows import LiveFold, LiveRun, about
from comp.report.page import part, rendered
from comp.report.run.headline import FoldCurve
from comp.report.run.page import asset, frame_values
from comp.report.run.panels import fold_charts


def watch_page(runs: Sequence[LiveRun], seconds: float) -> str:
    """The page with its first state. seconds: between two looks.

    Its addresses are relative: `state` for the parts, `picture/<run>/<fold>/<name>` for pictures.
    """
    return rendered(
        "watch",
        title=title(runs),
        runs=runs,
        parts=parts(runs),
        milliseconds=round(1000 * seconds),
        **frame_values(asset("watch.js")),
    )


def title(runs: Sequence[LiveRun]) -> str:
    """The name of the page: how far all is, then the names."""
    folds = [fold for run in runs for fold in run.folds]
    share = sum(fold.share for fold in folds) / len(folds) if folds else 0.0
    return f"{share:.0%} {', '.join(run.name for run in runs)}"


def parts(runs: Sequence[LiveRun]) -> dict[str, str]:
    """The id of a place in the page -> what stands there now."""
    found: dict[str, str] = {}
    for number, run in enumerate(runs):
        key = f"run-{number}"
        words = about(run) if run.folds else ""
        found[f"{key}-about"] = str(Markup("{}").format(words))
        found[f"{key}-notes"] = part("live", "notes", run)
        found[f"{key}-folds"] = part("live", "folds", run.folds, run.metric)
        found[f"{key}-curves"] = part("live", "curves", charts_of(run.folds, run.metric))
        found[f"{key}-pictures"] = part("live", "pictures", number, run.folds)
    return found


def charts_of(folds: Sequence[LiveFold], metric: str) -> list[tuple[str, Markup]]:
    """Titles and charts of the folds that have finished an epoch."""
    curves = [
        FoldCurve(
            fold=number,
            epochs=np.arange(1, fold.epochs + 1),
            columns={name: np.asarray(values) for name, values in fold.history.items()},
            best_epoch=fold.best_epoch or 0,
            best=float("nan") if fold.best is None else fold.best,
            early=False,
            seconds=None,
            planned=fold.of,
            title=fold.name,
        )
        for number, fold in enumerate(folds)
        if fold.epochs and fold.history
    ]
    return [(name, chart) for name, chart in fold_charts(curves, metric)]
