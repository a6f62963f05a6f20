"""The board as a page: all runs and submissions, out of fold against the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from comp.report.page import write_page
from comp.report.run.charts import Frame, Series, line_chart
from comp.report.run.page import asset, frame_values

if TYPE_CHECKING:
    from comp.stages.board import BoardEntry, BoardGroup

_FEWEST = 3  # submissions with both scores that a spread is told of


def write_board_page(
    path: Path,
    groups: Sequence[BoardGroup],
    hours: Mapping[str, float],
    links: Mapping[str, str],
) -> None:
    """Write the page. hours: what each run took to train; links: to the pages of runs, relative to
    this page. Raises CompError when `path` cannot be written."""
    write_page(
        path,
        "board",
        groups=[_group(group, hours, links) for group in groups],
        **frame_values(asset("report.js")),
    )


def _group(
    group: BoardGroup, hours: Mapping[str, float], links: Mapping[str, str]
) -> dict[str, Any]:
    rows = []
    for entry in group.entries:
        own = entry.name if entry.kind == "run" else ""
        rows.append({**vars(entry), "hours": hours.get(own), "link": links.get(own, "")})
    return {
        "metric": group.metric,
        "plan": group.plan[:8],
        "rows": rows,
        "chart": _chart(group),
        "sentences": [*_agreement(group), *shake_up(group)],
    }


def _pairs(group: BoardGroup, what: str) -> list[tuple[BoardEntry, float]]:
    found = [(entry, float(getattr(entry, what))) for entry in group.entries]
    return [(e, value) for e, value in found if not (math.isnan(value) or math.isnan(e.honest))]


def _chart(group: BoardGroup) -> Markup:
    """Out of fold (with its interval) against the leaderboard; "" without leaderboard scores."""
    series, values = [], []
    for number, what in enumerate(("public", "private")):
        points = sorted(_pairs(group, what), key=lambda pair: pair[0].honest)
        for n, (entry, board) in enumerate(points):
            values += [entry.honest, board]
            name = what if n == 0 else ""
            series.append(Series(name, [entry.honest], [board], number))
            if not math.isnan(entry.low):
                values += [entry.low, entry.high]
                series.append(Series("", [entry.low, entry.high], [board, board], number))
    if not series:
        return Markup("")
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05
    frame = Frame((low - room, high + room), (low - room, high + room))
    points = _pairs(group, "public") or _pairs(group, "private")
    told = ", ".join(f"{entry.name} {entry.honest:.4f} and {board:.4f}" for entry, board in points)
    alt = f"Out of fold against the leaderboard: {told}."
    return line_chart(
        series, alt, ("out of fold, honest", "leaderboard"), frame=frame, diagonal=True
    )


def _agreement(group: BoardGroup) -> list[str]:
    """How far the leaderboard is from the out-of-fold scores, and whether it has their order."""
    out = []
    for what in ("public", "private"):
        found = _pairs(group, what)
        if not found:
            continue
        gaps = np.array([board - entry.honest for entry, board in found])
        spread = f", spread {gaps.std(ddof=1):.4f}" if len(found) >= _FEWEST else ""
        inside = sum(entry.low <= board <= entry.high for entry, board in found)
        text = (
            f"The {what} score is {gaps.mean():+.4f} from the out-of-fold one on average{spread}; "
            f"{inside} of {len(found)} are within the out-of-fold interval."
        )
        both = [(a[0].honest - b[0].honest) * (a[1] - b[1]) for a, b in combinations(found, 2)]
        if both:
            same = sum(value > 0 for value in both)
            text += f" {same} of {len(both)} pairs of submissions are in the same order."
        out.append(text)
    return out


def shake_up(group: BoardGroup) -> list[str]:
    """Which submissions may change places on the private board: those whose out-of-fold interval
    holds the score of the first one by public score."""
    found = _pairs(group, "public")
    if len(found) < 2:
        return []
    sign = 1 if group.greater_is_better else -1
    leader = max(found, key=lambda pair: sign * pair[1])[0]
    if math.isnan(leader.low):
        return []
    close = [
        entry.name
        for entry, _ in found
        if entry is not leader and leader.low <= entry.honest <= leader.high
    ]
    if not close:
        return [
            f"{leader.name} leads the public board, and no other submission has an out-of-fold "
            "score within its interval: a shake-up among these is unlikely."
        ]
    best = max(found, key=lambda pair: sign * pair[0].honest)[0]
    advice = (
        "it is also the best out of fold"
        if best is leader
        else f"{best.name} is the best out of fold: choose it as the second final submission"
    )
    return [
        f"{leader.name} leads the public board; {len(close)} of {len(found) - 1} others are within "
        f"its out-of-fold interval, so their order on the private board may be another; {advice}."
    ]
