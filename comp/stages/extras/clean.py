"""`train.clean`: training labels that a probe doubts are dropped, softened or changed.

The doubts of fold k come from what a probe run says of the training part of its fold k: each image
by a probe that was fitted without it and without the validation part (`comp.train.probes.fold`).
Validation labels stay as they are, so that the score says whether cleaning helped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.sources import CleanConfig
from comp.core import checksums, files
from comp.core.errors import PredictionsError, RunError
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index
from comp.data.index.table_text import csv_text
from comp.ensemble.label_issues import LabelIssue, class_issues, column_issues, grade_issues
from comp.inference.predictions import Predictions
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment
from comp.stages.extras.teacher import refuse_teacher
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task, as_soft

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Doubts:
    """The labels of the training part of a fold that are taken away or changed.

    `issues`   the most doubted first; `row` is that of the index
    `dropped`  rows of the index that are not trained on
    `cells`    (K, 2) row of the index and column whose target is another now
    `targets`  (K,) what it is
    `told`     in a line, what is done
    `digest`   of all that
    """

    issues: tuple[LabelIssue, ...]
    dropped: Array
    cells: Array
    targets: Array
    told: str
    digest: str

    @property
    def changes(self) -> bool:
        """Whether targets are changed, which makes all of them probabilities."""
        return len(self.cells) > 0

    def applied(self, own: Array) -> Array:
        """Targets (N, C) with those that are changed."""
        own = own.copy()
        own[self.cells[:, 0], self.cells[:, 1]] = self.targets
        return own


def doubts_of(experiment: Experiment, index: Index, plan: FoldPlan, fold: int) -> Doubts:
    """The doubted labels of the training part of a fold.

    Raises RunError for a run that is no probe, is not finished, has another plan or other classes;
    UsageError for no such run.
    """
    wanted = experiment.config.train.clean
    assert wanted is not None, "asked for where labels are cleaned"
    said = _said(experiment, wanted, index, plan, fold)
    rows = index.rows(said.ids)
    if np.isin(rows, index.rows(plan.valid(fold))).any():
        raise RunError(
            f"{said.source['path']}: holds validation images of fold {fold}. Fit the fold again: "
            f"`comp train --restart` of {wanted.run}"
        )
    task, target = experiment.task, index.labels[rows]
    found = [issue for issue in _issues(task, index, said, target) if issue.sure]
    room = int(wanted.most * int((target != UNKNOWN).sum()))
    kept = found[:room]
    dropped, cells, targets = _changed(wanted, task, index, kept, rows, np.asarray(said.probs))
    words = {"drop": "left out", "soften": "softened", "relabel": "changed"}[wanted.how]
    more = f"; {len(found) - room} more are over train.clean.most" if len(found) > room else ""
    told = (
        f"train.clean: {wanted.run} doubts {len(kept)} of {len(rows)} training labels surely: "
        f"{words}{more}"
    )
    lines = [f"{wanted.how} {row}" for row in dropped.tolist()]
    lines += [f"{row} {column} {value!r}" for (row, column), value in _pairs(cells, targets)]
    issues = tuple(_at(issue, rows) for issue in kept)
    return Doubts(issues, dropped, cells, targets, told, checksums.digest_lines(lines))


def write_doubts(doubts: Doubts, index: Index, path: Path) -> None:
    """The table of what was changed, into the folder of the fold."""
    rows: list[list[object]] = [["id", "label", "given", "likely", "margin"]]
    for one in doubts.issues:
        rows.append([index.ids[one.row], one.label, one.given, one.likely, f"{one.margin:.6f}"])
    files.write_text(path, csv_text(rows))


def _said(
    experiment: Experiment, wanted: CleanConfig, index: Index, plan: FoldPlan, fold: int
) -> Predictions:
    """What the probe of a fold says of its training part."""
    where = f"train.clean.run: {wanted.run!r}"
    if wanted.run == experiment.name:
        raise RunError(f"{where} is this run; name a finished probe run")
    probe = run_experiment(wanted.run, experiment)
    if probe.config.model.probe is None:
        raise RunError(
            f"{where}: is no probe. Networks that saw neither an image nor the validation part "
            "would take a training for each pair of folds; a probe answers while it is fitted. "
            "Train one: `model.probe: logistic` (see docs/sources.md)"
        )
    refuse_teacher(probe, experiment, plan, [fold], where)
    run = probe.workspace.fold(fold)
    again = f"Fit it again: `comp train --restart` of {wanted.run}"
    try:
        said = Predictions.load(run.inner)
    except PredictionsError as problem:
        raise RunError(
            f"{where}: fold {fold} has no answers for its training part ({problem}). {again}"
        ) from problem
    if said.source.get("checkpoint_sha256") != checksums.digest_file(run.best):
        raise RunError(f"{run.inner}: belongs to another fit of fold {fold}. {again}")
    names = experiment.task.column_names(index.classes)
    if said.classes != names or said.link != experiment.task.link.name:
        raise RunError(f"{where}: its classes are not those of this run")
    return said


def _issues(task: Task, index: Index, said: Predictions, target: Array) -> list[LabelIssue]:
    """The doubted labels; `row` is the place in the predictions."""
    probs = np.asarray(said.probs, dtype=np.float64)
    if task.ordered:
        expected = probs @ np.arange(probs.shape[1])
        return grade_issues(said.ids, index.classes, target, expected)
    if task.target_kind == "columns":
        return column_issues(said.ids, index.classes, target, probs)
    both = np.concatenate([1 - probs, probs], axis=1) if probs.shape[1] == 1 else probs
    return class_issues(said.ids, index.classes, target, both)


def _changed(
    wanted: CleanConfig,
    task: Task,
    index: Index,
    issues: list[LabelIssue],
    rows: Array,
    probs: Array,
) -> tuple[Array, Array, Array]:
    """Rows of the index that are dropped; cells that change, and their targets."""
    places = np.array([issue.row for issue in issues], dtype=np.int64)
    none = np.empty((0, 2), np.int64), np.empty(0, np.float32)
    if task.target_kind == "columns":
        columns = np.array([index.classes.index(issue.label) for issue in issues], dtype=np.int64)
        cells = np.stack([rows[places], columns], axis=1)
        if wanted.how == "drop":  # of an image with several labels only the doubted one
            return np.empty(0, np.int64), cells, np.full(len(cells), UNKNOWN, np.float32)
        given = index.labels[cells[:, 0], cells[:, 1]]
        likely = np.array([float(issue.likely) for issue in issues])
        said = probs[places, columns]
        return np.empty(0, np.int64), cells, _mixed(wanted, given, said, likely)
    if wanted.how == "drop":
        return rows[places], *none
    width = probs.shape[1]
    likely = as_soft(
        np.array([index.classes.index(issue.likely) for issue in issues], dtype=np.int64), width
    )
    given = as_soft(index.labels[rows[places]], width)
    targets = _mixed(wanted, given, probs[places], likely)
    cells = np.stack(
        [np.repeat(rows[places], width), np.tile(np.arange(width), len(places))], axis=1
    )
    return np.empty(0, np.int64), cells, targets.reshape(-1)


def _mixed(wanted: CleanConfig, given: Array, said: Array, likely: Array) -> Array:
    if wanted.how == "relabel":
        return np.asarray(likely, dtype=np.float32)
    return np.asarray((1 - wanted.weight) * given + wanted.weight * said, dtype=np.float32)


def _pairs(cells: Array, targets: Array) -> Any:
    return zip(cells.tolist(), targets.tolist(), strict=True)


def _at(issue: LabelIssue, rows: Array) -> LabelIssue:
    return replace(issue, row=int(rows[issue.row]))
