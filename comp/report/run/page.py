"""The page of a run: one HTML file of words, charts, tables and pictures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from comp.ensemble.compare import Scores
from comp.ensemble.cross_fit import LEAST_UNITS, few_units_text
from comp.report.page import write_page
from comp.report.run import headline
from comp.report.run.answers import OofAnswers
from comp.report.run.charts import heat_map
from comp.report.run.curves import reliability
from comp.report.run.headline import FoldCurve
from comp.report.run.panels import (
    LEAST_IN_BIN,
    class_panels,
    fold_charts,
    number_panels,
    reliability_chart,
)
from comp.report.run.tables import (
    Slice,
    class_rows,
    confusion_of,
    fold_slices,
    gallery_rows,
    group_rows,
    number_rows,
    pairs_of,
)

Array = np.ndarray[Any, Any]
Picture = Callable[[int], str]  # row -> a picture for the `src` of an image; "" where there is none

_WORST, _DOUBTED = 40, 20  # images of the gallery
_MAPPED = 24  # of them with class activation maps
_PAIRS, _EXAMPLES = 12, 4
_CELLS = 40  # classes of a confusion matrix that is drawn
_GROUPS = 200


@dataclass(frozen=True)
class RunFacts:
    """What a page tells of a run besides its answers.

    `name, task, metric, greater_is_better`  of the experiment
    `settings`  what it is, for the head of the page: model, image size, ...
    `folds`     the curves of the folds that were trained
    `notes`     what the reader should know: folds that are missing, what was left out
    """

    name: str
    task: str
    metric: str
    greater_is_better: bool
    settings: Mapping[str, str]
    folds: Sequence[FoldCurve]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class MaskPart:
    """What a page shows of a segmentation: scores, rows of the table of classes, pictures, see
    `comp.report.validation_page`; the score of each class; whether a tuned rule is used; how
    many units the interval is drawn from; what to say of few of them, and of answers that score
    other than the run, see `comp.report.run.headline`."""

    scores: Scores
    images: int
    parts: Mapping[str, Any]
    by_class: Mapping[str, float | None]
    kept: bool = False
    units: int = 0
    few: str = ""
    sent: str = ""


@dataclass(frozen=True)
class Shown:
    """What was drawn, as numbers, for who asked: tables of classes, pairs, slices, images."""

    classes: list[Any] = field(default_factory=list)
    pairs: list[Any] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    gallery: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def write_run_page(
    path: Path,
    facts: RunFacts,
    found: OofAnswers | None = None,
    *,
    picture: Picture = lambda row: "",
    maps: Callable[[Sequence[int]], Mapping[int, str]] = lambda rows: {},
    slices: Sequence[Slice] = (),
    masks: MaskPart | None = None,
    bags: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
) -> Shown:
    """Write the page of a run.

    found: its answers, None where there are none yet, and for masks. picture: of a row; maps: of
    some rows, pictures of what the network looked at. slices: by size and the like, beside those by
    fold. bags: pictures of bags with what each image counted, with their captions.
    Raises CompError when `path` cannot be written.
    """
    values: dict[str, Any] = {"found": found, "masks": masks, "classes": [], "numbers": []}
    values["bags"] = list(bags)
    hints = headline.about_training(facts.folds) if facts.folds else []
    shown = Shown()
    scores = found.scores if found is not None else masks.scores if masks is not None else None
    if scores is not None:
        hints += headline.about_folds(facts.folds, scores, facts.greater_is_better)
        kept = found.kept if found is not None else masks is not None and masks.kept
        hints += headline.about_rule(scores, facts.greater_is_better, kept=kept)
    if masks is not None:
        hints += headline.about_regions(masks.by_class)
    if found is not None:
        values |= _sections(found, facts, picture, maps, slices, seed, hints, shown)
    shown.sentences.extend(_sentences(facts, found, masks))
    shown.hints.extend(hints)
    script = asset("report.js")
    write_page(
        path,
        "run",
        facts=facts,
        sentences=shown.sentences,
        hints=hints,
        charts=fold_charts(facts.folds, facts.metric),
        **frame_values(script),
        **{**_EMPTY, **values},
    )
    return shown


_EMPTY: dict[str, Any] = {
    "confusion": "", "confused": 0, "pairs": [], "panels": [], "calibration": None, "slices": [],
    "groups": [], "group_count": 0, "gallery": [], "maps_note": "", "total": 0,
    "truths": [], "left_out": 0, "beside": "", "least_units": LEAST_UNITS,
}  # fmt: skip


_MAPS_NOTE = (
    "The second picture of the first ones shows what spoke for the answer (Grad-CAM of the fold's "
    "model): bright is much, dark is little."
)


def asset(name: str) -> str:
    """A style sheet or a script of the pages."""
    return (package_files("comp") / "report/templates" / name).read_text(encoding="utf-8")


def frame_values(script: str) -> dict[str, Any]:
    """What the frame of a page needs: its style, its script, and the digest by which a browser runs
    this script and no other."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(asset("report.css")), "script": Markup(script), "digest": digest}


def _sentences(facts: RunFacts, found: OofAnswers | None, masks: MaskPart | None) -> list[str]:
    out = []
    if found is not None:
        parts = len(np.unique(found.fold))
        few = few_units_text(found.units, found.groups)
        out.append(headline.score_text(facts.metric, found.scores, len(found), parts, few))
        out.append(headline.about_sent(found))
    elif masks is not None:
        count = len(facts.folds)
        out.append(headline.score_text(facts.metric, masks.scores, masks.images, count, masks.few))
        out.append(masks.sent)
    if facts.folds:
        out.append(headline.training_text(facts.folds, facts.metric))
    return [text for text in out if text]


def _sections(
    found: OofAnswers,
    facts: RunFacts,
    picture: Picture,
    maps: Callable[[Sequence[int]], Mapping[int, str]],
    slices: Sequence[Slice],
    seed: int,
    hints: list[str],
    shown: Shown,
) -> dict[str, Any]:
    """Everything that is computed from the answers, for the template."""
    every = [*fold_slices(found, seed), *slices]
    groups, count = group_rows(found, _GROUPS)
    shown.slices.extend(every)
    rows = gallery_rows(found, _WORST, _DOUBTED)
    shown.gallery.extend(rows)
    seen = maps(rows[:_MAPPED])
    values = {
        "slices": every,
        "groups": groups,
        "group_count": count,
        "total": len(found),
        "gallery": gallery_cards(found, rows, picture, seen),
        "maps_note": _MAPS_NOTE if seen else "",
        "least_units": LEAST_UNITS,
        "beside": _beside(found),
        "truths": sorted({found.truth_text(row) for row in rows}),
    }
    if found.kind == "numbers":
        shown.classes.extend(number_rows(found))
        values |= {"numbers": shown.classes, "panels": number_panels(found)}
    else:
        values |= _class_sections(found, picture, hints, shown)
    sure = sum(issue.sure for issue in found.issues)
    hints += headline.about_slices(every, float(found.wrong.mean()), found.kind)
    hints += headline.about_labels(sure, len(found), found.target.size)
    return values


def _beside(found: OofAnswers) -> str:
    """What stands beside tables of answers that score other than the run."""
    if not headline.about_sent(found):
        return ""
    score = f"{found.metric.name} {found.sent_score:.4f}"
    return f" All of these answers together have {score}; above it says why the run has another."


def _class_sections(
    found: OofAnswers, picture: Picture, hints: list[str], shown: Shown
) -> dict[str, Any]:
    rows, table = class_rows(found), confusion_of(found)
    pairs = pairs_of(found, table, _PAIRS, _EXAMPLES)
    shown.classes.extend(rows)
    shown.pairs.extend(pairs)
    calibration = reliability(*found.confidence())
    hints += headline.about_classes(rows)
    hints += headline.about_pairs(table, found.classes)
    if found.task.link.steps != "fixed":  # whose probabilities are made from one number
        hints += headline.about_calibration(calibration)
    drawn, names = drawn_part(table, found.classes)
    panels, left_out = class_panels(found, rows)
    return {
        "classes": rows,
        "confusion": heat_map(drawn, names, _confusion_alt(found, table), ("answer", "truth")),
        "confused": len(names),
        "pairs": [_pair(found, pair, picture) for pair in pairs],
        "panels": panels,
        "left_out": left_out,
        "least_in_bin": LEAST_IN_BIN,
        "calibration": (calibration, reliability_chart(calibration)),
    }


def _confusion_alt(found: OofAnswers, table: Array) -> str:
    wrong = int(table.sum() - np.trace(table))
    what = "answers that are wrong" if found.target.ndim == 1 else "confusions"
    return f"Confusion matrix of {len(found.classes)} classes: {wrong} {what}; truth in rows."


def drawn_part(table: Array, names: Sequence[str]) -> tuple[Array, list[str]]:
    """The classes of a confusion matrix that are drawn: all, or those with the most errors."""
    if len(names) <= _CELLS:
        return table, list(names)
    errors = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    rows = np.sort(np.argsort(-errors, kind="stable")[:_CELLS])
    return table[np.ix_(rows, rows)], [names[row] for row in rows]


def _pair(found: OofAnswers, pair: Any, picture: Picture) -> dict[str, Any]:
    pictures = [
        {
            "src": picture(row),
            "id": found.ids[row],
            "alt": f"{found.ids[row]}: {found.classes[pair.truth]}, answered "
            f"{found.classes[pair.said]} at {found.chance[row, pair.said]:.2f}",
            "chance": f"{found.chance[row, pair.said]:.2f}",
        }
        for row in pair.rows
    ]
    names = {"truth": found.classes[pair.truth], "said": found.classes[pair.said]}
    return {**vars(pair), **names, "pictures": pictures}


def gallery_cards(
    found: OofAnswers, rows: Sequence[int], picture: Picture, maps: Mapping[int, str]
) -> list[dict[str, Any]]:
    """A card for each of these rows, for the template."""
    issues: dict[int, Any] = {}
    for issue in found.issues:
        issues.setdefault(issue.row, issue)
    return [_card(found, row, issues.get(row), picture, maps.get(row, "")) for row in rows]


def _card(found: OofAnswers, row: int, issue: Any, picture: Picture, seen: str) -> dict[str, Any]:
    truth, answer = found.truth_text(row), found.answer_text(row)
    doubt = "" if issue is None else f"{issue.label} {issue.given}? {issue.likely}".strip()
    bad = float(found.badness[row])
    return {
        "id": found.ids[row],
        "truth": truth,
        "answer": answer,
        "fold": int(found.fold[row]),
        "group": "" if found.groups is None else found.groups[row],
        "wrong": bool(found.wrong[row]),
        "badness": f"{bad:.4f}",
        "certainty": certainty_text(found, row, bad),
        "doubt": doubt,
        "sure": issue is not None and issue.sure,
        "kinds": ("wrong" if found.wrong[row] else "right") + " doubted" * (issue is not None),
        "margin": "" if issue is None else f"{issue.margin:.4f}",
        "src": picture(row),
        "map": seen,
        "alt": f"{found.ids[row]}: {truth}, answered {answer}",
    }


def certainty_text(found: OofAnswers, row: int, bad: float) -> str:
    """The figures under a picture."""
    if found.kind == "numbers":
        return f"off by {bad:.2f} usual errors"
    if found.target.ndim == 1:
        said = float(found.chance[row, found.labels[row]])
        return f"p(answer) {said:.3f}, p(truth) {1 - bad:.3f}"
    cells = np.where(found.truth[row], 1 - found.chance[row], found.chance[row]) * found.known[row]
    worst = int(cells.argmax())
    return f"{found.classes[worst]}: p {found.chance[row, worst]:.3f}"
