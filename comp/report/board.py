"""The board as tables, and as a picture of out-of-fold against leaderboard scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.core.errors import UsageError
from comp.core.progress import say
from comp.core.terminal import tell, visible
from comp.report.console.printing import print_json, print_table
from comp.report.figure import figure

if TYPE_CHECKING:
    from comp.stages.board import BoardEntry, BoardGroup


def print_board(groups: list[BoardGroup], *, as_json: bool) -> None:
    """A table for each group; entries of different groups cannot be compared."""
    if as_json:
        plain = [
            {**vars(group), "entries": [_plain(entry) for entry in group.entries]}
            for group in groups
        ]
        print_json(plain)
        return
    for group in groups:
        tell(f"{group.metric}, plan {group.plan[:8]}")
        noted = any(entry.note for entry in group.entries)
        heads = ["name", "folds", "raw", "honest", "95 %", "public", "private"]
        rows = [_cells(entry)[: None if noted else -1] for entry in group.entries]
        print_table([*heads, *(["note"] if noted else [])], rows, notes=int(noted))
    if len(groups) > 1:
        say(
            f"{len(groups)} tables: scores of another metric, or on other images or folds, cannot "
            "be compared with each other; nothing is ranked across tables"
        )


def _cells(entry: BoardEntry) -> list[str]:
    name = f"runs/{entry.name}" if entry.kind == "run" else f"{entry.name}.csv"
    interval = "" if math.isnan(entry.low) else f"{entry.low:.3f}-{entry.high:.3f}"
    own = [_shown(value) for value in (entry.folds, entry.raw, entry.honest)]
    board = [_shown(value) for value in (entry.public, entry.private)]
    return [name, *own, interval, *board, entry.note]


def _plain(entry: BoardEntry) -> dict[str, object]:
    values = vars(entry).items()
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values}


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def draw_board(groups: list[BoardGroup], path: Path) -> None:
    """A PNG with a panel for each group that has leaderboard scores: honest against public.

    Raises UsageError where no submission has both.
    """
    drawn = [(group, _points(group)) for group in groups]
    drawn = [(group, points) for group, points in drawn if points]
    if not drawn:
        raise UsageError(
            "no submission has an honest and a leaderboard score; enter one with "
            "`comp board score NAME 0.7264`"
        )
    with figure(path, 5.5 * len(drawn), 5) as picture:
        for place, (group, points) in enumerate(drawn, 1):
            _draw_panel(picture.add_subplot(1, len(drawn), place), group, points)


def _draw_panel(axes: Any, group: BoardGroup, points: list[tuple[BoardEntry, float]]) -> None:
    for entry, board in points:
        gaps = [[entry.honest - entry.low], [entry.high - entry.honest]]
        axes.errorbar([entry.honest], [board], xerr=gaps, fmt="o", capsize=3)
        axes.annotate(
            visible(entry.name, lines=False),
            (entry.honest, board),
            (5, 5),
            textcoords="offset points",
        )
    ends = [v for entry, board in points for v in (entry.low, entry.high, board)]
    low, high = min(ends), max(ends)
    axes.plot([low, high], [low, high], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel(f"out of fold, honest {group.metric}, with its 95 % interval")
    axes.set_ylabel(f"public leaderboard (plan {group.plan[:8]})")


def _points(group: BoardGroup) -> list[tuple[BoardEntry, float]]:
    pairs = [(entry, entry.public) for entry in group.entries]
    return [(e, v) for e, v in pairs if not (math.isnan(v) or math.isnan(e.honest))]
