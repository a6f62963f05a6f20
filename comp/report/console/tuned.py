"""What `comp tune` prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from comp.report.console.printing import print_table

if TYPE_CHECKING:
    from comp.stages.search.tune import Tuned

_SHOWN = 10


def print_tuned(found: Tuned) -> None:
    """The best trials, and whether the best one beats the given config."""
    keys = list(dict.fromkeys(key for one in found.tried for key in one.settings))
    rows = []
    for one in found.tried[:_SHOWN]:
        missing = "failed" if one.note != "out of time" else one.note
        score = missing if math.isnan(one.score) else f"{one.score:.4f}"
        cells = [_short(one.settings.get(key, "")) for key in keys]
        rows.append([*cells, str(one.rounds), score])
    names = [key.split(".")[-1] for key in keys]
    print_table((*names, "rounds", found.metric), rows, text=len(keys))
    if len(found.tried) > _SHOWN:
        print(f"... and {len(found.tried) - _SHOWN} more trials ({found.table} has all)")
    verdict = found.verdict
    if verdict is None:
        print("no trial was better than the given config")
        return
    folds = len(verdict.given)
    compared = f"on {folds} folds: {verdict.gain:+.4f}, spread over the folds {verdict.spread:.4f}"
    if verdict.better:
        print(f"the best trial beats the given config {compared}")
    else:
        print(f"the best trial does not beat the given config beyond noise {compared}")


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
