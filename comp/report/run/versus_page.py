"""The page of several runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from comp.ensemble.compare import Scores
from comp.report.page import write_page
from comp.report.run.answers import OofAnswers
from comp.report.run.charts import dot_chart
from comp.report.run.headline import about_sent, duration
from comp.report.run.page import asset, certainty_text, frame_values
from comp.report.run.versus import (
    Difference,
    alike,
    class_gaps,
    flips,
    group_gaps,
    verdict,
)

_FLIPS, _GROUPS, _POINTS = 24, 200, 1500


@dataclass(frozen=True)
class Contender:
    """One of the runs: its answers, the seconds of its training where they are known, what to know
    of it, its own page where there is one."""

    name: str
    found: OofAnswers
    seconds: float | None
    notes: tuple[str, ...] = ()
    page: Path | None = None


@dataclass(frozen=True)
class Blended:
    """The blend of all runs but `without` ("": of all), its scores, and how much better the blend
    of all is (None for itself)."""

    without: str
    scores: Scores
    adds: Difference | None


def write_versus_page(
    path: Path,
    runs: Sequence[Contender],
    differences: Sequence[Difference],
    blends: Sequence[Blended],
    lead: tuple[str, Difference],
    cards: Callable[[Sequence[int]], list[dict[str, Any]]],
) -> list[str]:
    """Write the page; its sentences. differences: of each run but the first from the first; blends:
    of all, then without each; lead: the best run by itself, and how much better the blend of all
    is; cards: of rows of the first run, see `gallery_cards`."""
    first = runs[0]
    unit = "images" if first.found.groups is None else "groups"
    metric = first.found.metric.name
    sentences = [
        verdict(first.name, run.name, metric, found, unit)
        for run, found in zip(runs[1:], differences, strict=True)
    ]
    whole = f"The mean of {'both' if len(runs) == 2 else 'all'} has {metric}"
    told = verdict(lead[0], "the blend", metric, lead[1], unit)
    sentences.append(f"{whole} {blends[0].scores.honest:.4f}: {told}")
    sentences += [f"{run.name}: {text}" for run in runs if (text := about_sent(run.found))]
    write_page(
        path,
        "versus",
        names=[run.name for run in runs],
        metric=metric,
        images=len(first.found),
        sentences=sentences,
        notes=[f"{run.name}: {note}" for run in runs for note in run.notes],
        runs=[_row(run, path) for run in runs],
        pairs=[
            _pair(first, run, found, cards)
            for run, found in zip(runs[1:], differences, strict=True)
        ],
        alike=[
            (a.name, b.name, alike(a.found, b.found))
            for n, a in enumerate(runs)
            for b in runs[n + 1 :]
        ],
        blends=blends,
        numbers=first.found.kind == "numbers",
        **frame_values(asset("report.js")),
    )
    return sentences


def _row(run: Contender, path: Path) -> dict[str, Any]:
    link = ""
    if run.page is not None and run.page.parent.parent == path.parent.parent:
        link = f"../{run.page.parent.name}/{run.page.name}"
    took = "" if run.seconds is None else duration(run.seconds)
    seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
    return {
        "name": run.name,
        "scores": run.found.scores,
        "took": took,
        "seconds": seconds,
        "link": link,
    }


def _pair(
    first: Contender,
    second: Contender,
    found: Difference,
    cards: Callable[[Sequence[int]], list[dict[str, Any]]],
) -> dict[str, Any]:
    flipped = flips(first.found, second.found, _FLIPS)
    shown = cards(flipped.rows)
    for card, row in zip(shown, flipped.rows, strict=True):
        lost = bool(second.found.wrong[row])
        bad = float(second.found.badness[row])
        card |= {
            "kinds": "lost" if lost else "won",
            "second": second.found.answer_text(row),
            "second_certainty": certainty_text(second.found, row, bad),
            "lost": lost,
        }
    groups, differing = group_gaps(first.found, second.found, _GROUPS)
    return {
        "name": second.name,
        "difference": found,
        "flips": flipped,
        "cards": shown,
        "truths": sorted({card["truth"] for card in shown}),
        "classes": class_gaps(first.found, second.found),
        "groups": groups,
        "differing": differing,
        "chart": _scatter(first, second),
    }


def _scatter(first: Contender, second: Contender) -> Markup:
    step = -(-len(first.found) // _POINTS)
    xs, ys = (run.found.badness[::step] for run in (first, second))
    what = "error" if first.found.kind == "numbers" else "1 - p(truth)"
    alt = f"{what} of {len(xs)} images by {first.name} (x) and by {second.name} (y)."
    return dot_chart(
        xs, ys, alt, (f"{what}, {first.name}", f"{what}, {second.name}"), diagonal=True
    )
