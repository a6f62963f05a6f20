"""Which epochs are the best, and the checkpoints that are kept of them (`train.top_k`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from comp.config.workspace import RunDir
from comp.tasks.metrics import Metric
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.checkpoint import Saved

Row = dict[str, float]


def is_best(row: Row, best: Row | None, metric: Metric) -> bool:
    """Higher score first, then lower validation loss, then the later epoch; NaN is never best."""
    new = row[metric.name]
    if best is None or math.isnan(new):
        return not math.isnan(new)
    if new != best[metric.name]:
        return metric.better(new, best[metric.name])
    losses = [math.inf if math.isnan(r["valid_loss"]) else r["valid_loss"] for r in (row, best)]
    return losses[0] <= losses[1]


def top_epochs(history: Sequence[Row], count: int, metric: Metric) -> list[int]:
    """The epochs of the best `count` rows, the best first."""
    ranked: list[Row] = []
    for row in history:
        place = next((n for n, other in enumerate(ranked) if is_best(row, other, metric)), None)
        ranked.insert(len(ranked) if place is None else place, row)
    return [int(row["epoch"]) for row in ranked[:count]]


def ties(history: Sequence[Row], best: Row | None, metric: Metric) -> list[int]:
    """The other epochs with the best score."""
    if best is None:
        return []
    rows = [row for row in history if row[metric.name] == best[metric.name]]
    return [int(row["epoch"]) for row in rows if row["epoch"] != best["epoch"]]


def keep_top(run: RunDir, epochs: Sequence[int], epoch: int, saved: Callable[[], Saved]) -> None:
    """Save `saved()` as the checkpoint of `epoch` if it is among the best; remove those that are
    not. A second call changes nothing."""
    if epoch in epochs:
        checkpoint.save(saved(), run.top(epoch))
    wanted = {run.top(number) for number in epochs}
    for path in run.path.glob("top_*.pt"):
        if path not in wanted:
            path.unlink()
