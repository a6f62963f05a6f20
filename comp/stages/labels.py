"""`comp labels`: the training rows whose label is most doubted, as a table and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files
from comp.data.cache.image_range import with_range
from comp.data.images.pixel_form import form_of
from comp.data.images.reading import read_picture_of
from comp.data.images.resize import fit
from comp.data.index.index import Index
from comp.data.index.table_text import csv_text
from comp.ensemble.evidence import Evidence
from comp.ensemble.label_issues import SURE_TEXTS, LabelIssue
from comp.report.contact_sheet import contact_sheet
from comp.report.overlay import overlay
from comp.stages.ensembling.kinds import make_evidence
from comp.stages.ensembling.members import Ground, covered_ids
from comp.stages.ensembling.outside import gather
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train

_COLUMNS, _PAIRED_COLUMNS, _SIZE = 8, 4, 128


@dataclass(frozen=True)
class LabelIssues:
    """The doubted labels, the most doubted first; how many rows there are; what was written; what
    the models are sure of."""

    issues: tuple[LabelIssue, ...]
    rows: int
    written: tuple[Path, ...]
    sure: str = SURE_TEXTS["class"]


def find_issues(
    experiment: Experiment, runs: Sequence[str], out: Path | None, sheet: int
) -> LabelIssues:
    """Rank the labels of the training set by out-of-fold predictions (mean over the runs).

    The table goes to `out`, or beside the run as label_issues.csv; with `sheet` images in a picture
    of the same name. Masks are ranked per image and class by their Dice. Raises what `gather`
    raises.
    """
    table = out or experiment.workspace.run / "label_issues.csv"
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    ground = Ground(experiment, index, read_test_images(experiment, index.classes), plan)
    models = gather(ground, runs or (experiment.name,), (), None)
    evidence = make_evidence(ground, models)
    issues = evidence.label_issues()
    _write(issues, table)
    written = [table]
    if sheet and issues:
        picture = table.with_suffix(".png")
        part = index.part(index.rows(covered_ids(models, index)))
        image = with_range(experiment.config.image, index, experiment.workspace.cache)
        _draw(issues, sheet, evidence, part, image, picture)
        written.append(picture)
    task = experiment.task
    how = "mask" if task.spatial else "far" if task.link.measures or task.ordered else "class"
    return LabelIssues(tuple(issues), len(evidence.fold), tuple(written), SURE_TEXTS[how])


def _write(issues: Sequence[LabelIssue], path: Path) -> None:
    rows: list[list[object]] = [["id", "label", "given", "likely", "margin", "sure"]]
    for issue in issues:
        texts = map(_no_formula, (issue.id, issue.label, issue.given, issue.likely))
        rows.append([*texts, f"{issue.margin:.6f}", int(issue.sure)])
    files.write_text(path, csv_text(rows))


def _no_formula(cell: str) -> str:
    """A cell that no spreadsheet computes: people open this table, and labels are data.

    Only this table is changed so; plans and submissions are read by programs, to the byte.
    """
    if cell[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _draw(
    issues: Sequence[LabelIssue],
    sheet: int,
    evidence: Evidence,
    index: Index,
    image: ImageConfig,
    path: Path,
) -> None:
    pictures: list[np.ndarray[Any, Any]] = []
    titles: list[str] = []
    shown = evidence.to_show(issues, sheet)
    for issue in shown:
        pixels = read_picture_of(index.source(issue.row), form_of(image))
        for title, mask in evidence.pictures(issue):
            pictures.append(
                fit(pixels, _SIZE, image.resize) if mask is None else overlay(pixels, mask)
            )
            titles.append(title)
    columns = _COLUMNS if len(pictures) == len(shown) else _PAIRED_COLUMNS
    contact_sheet(pictures, titles, path, columns=columns)
