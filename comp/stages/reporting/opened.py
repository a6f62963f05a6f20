"""A run as `comp report` reads it: its folds, their curves, its out-of-fold answers."""

from __future__ import annotations

import contextlib
import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp.config.workspace import RunDir
from comp.core import files
from comp.core.errors import DamagedError, RunError, first
from comp.core.progress import say
from comp.data.folds.make import judged_part
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index
from comp.ensemble.blend import out_of_fold
from comp.ensemble.compare import BlendRow, judge_row
from comp.ensemble.evidence import Evidence, Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions
from comp.report.run.answers import OofAnswers
from comp.report.run.headline import FoldCurve
from comp.stages.ensembling.kinds import make_evidence
from comp.stages.ensembling.members import Ground, Model
from comp.stages.experiment import Experiment, read_plan, read_train
from comp.stages.predict import Predictor
from comp.train.checkpoints.finished import finished

Array = np.ndarray[Any, Any]

# Cells of the table of probabilities up to which a rule is tuned: a thousand classes would take
# longer than all the rest of the page
MOST_TUNED = 4_000_000
_MOST_ISSUED = 20_000_000  # cells up to which labels are doubted


@dataclass(frozen=True)
class OpenedRun:
    """One run.

    `index`     all training images; `part` those with out-of-fold rows
    `predictor` makes its networks and reads its images
    `evidence`  its out-of-fold predictions; `row` what was fitted on them, with all answers
    `notes`     what the reader of its page should know
    """

    experiment: Experiment
    plan: FoldPlan
    part: Index
    predictor: Predictor
    evidence: Evidence
    row: BlendRow
    curves: list[FoldCurve]
    notes: tuple[str, ...]

    def on(self, ids: Sequence[str]) -> OpenedRun:
        """The run on some of its images only; of no segmentation."""
        evidence, rows = self.evidence, np.asarray(self.part.rows(ids))
        assert isinstance(evidence, TableEvidence), "masks are not compared image by image"
        groups = None if evidence.groups is None else [evidence.groups[row] for row in rows]
        fewer = replace(evidence.at(rows), groups=groups, ids=list(ids))
        row, _ = _judged(self.experiment, fewer)
        return replace(self, part=self.part.part(rows), evidence=fewer, row=row)


def open_run(experiment: Experiment) -> OpenedRun:
    """Read a run; validation predictions that are missing are made, those of test images are not.

    Raises RunError where no fold is finished, and what reading data, plan and predictions raises.
    """
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    numbers = [n for n in range(plan.count) if _whole(experiment.workspace.fold(n), plan)]
    if not numbers:
        raise RunError(
            f"{experiment.workspace.run}: no fold is trained to its end. Run `comp train` first."
        )
    empty = Index((), (), index.classes)
    predictor = Predictor(experiment, index, empty, plan, parts=("valid",))
    predictor.run(numbers)
    parts = [Predictions.load(experiment.workspace.fold(n).valid) for n in numbers]
    judged, fold, _ = judged_part(index, plan)
    names = experiment.task.column_names(index.classes)
    oof = out_of_fold(parts, judged, fold, plan.fingerprint, partial=True, columns=names)
    missing = [n for n in range(plan.count) if n not in numbers]
    model = Model(experiment.name, oof, (), tuple(missing), experiment.workspace.root)
    evidence = make_evidence(Ground(experiment, index, empty, plan, partial=True), [model])
    part = judged if len(oof.ids) == len(judged) else judged.part(judged.rows(oof.ids))
    row, note = _judged(experiment, evidence)
    notes = [f"Folds {first(missing)} are not finished; they are in no figure."] if missing else []
    notes += [note] if note else []
    curves = read_curves(experiment, plan.count)
    return OpenedRun(experiment, plan, part, predictor, evidence, row, curves, tuple(notes))


def _judged(experiment: Experiment, evidence: Evidence) -> tuple[BlendRow, str]:
    """What is fitted on this evidence, and what to say of it."""
    tuned, note = _tunes(experiment, evidence)
    fitting = Fitting(tuned, experiment.config.seed)
    return judge_row(evidence, VOTES["soft"], "equal", fitting, keep=True), note


def _tunes(experiment: Experiment, evidence: Evidence) -> tuple[bool, str]:
    """Whether a rule is tuned for the page, and what to say where the config wants one."""
    if not experiment.config.ensemble.tune or len(np.unique(evidence.fold)) < 2:
        return False, ""
    if isinstance(evidence, TableEvidence) and experiment.metric.wants == "labels":
        cells = int(np.prod(evidence.probs[0].shape))
        if cells > MOST_TUNED:
            return False, (
                f"The rule is not tuned here, since {evidence.probs[0].shape[1]} classes of "
                f"{len(evidence.fold)} images take long; `comp ensemble` tunes it."
            )
    return True, ""


def _whole(run: RunDir, plan: FoldPlan) -> bool:
    try:
        return finished(run, plan.fingerprint) is not None
    except DamagedError as problem:
        say(f"left out: {problem}")
        return False


def answers_of(opened: OpenedRun) -> OofAnswers:
    """The answers of a run that is no segmentation."""
    evidence, row, task = opened.evidence, opened.row, opened.experiment.task
    assert isinstance(evidence, TableEvidence), "masks have no table"
    assert row.found is not None, "the row keeps its answers"
    probs, sent = np.asarray(evidence.probs[0]), row.found.sent
    labels = sent if evidence.metric.wants == "labels" else task.decide(probs)
    issues = evidence.label_issues() if probs.size <= _MOST_ISSUED else []
    return OofAnswers(
        task=task,
        metric=evidence.metric,
        ids=evidence.ids,
        classes=opened.part.classes,
        target=evidence.target,
        probs=probs,
        labels=labels,
        sent=sent,
        honest=row.found.honest,
        mixed=row.found.mixed,
        rule=row.fit.rule,
        scores=row.scores,
        fold=_folds(opened),
        groups=evidence.groups,
        issues=issues,
        note=row.note,
        weights=evidence.weights,
        by_task=evidence.part_scores(row.found.honest) if task.link.parts else {},
    )


def _folds(opened: OpenedRun) -> Array:
    number = dict(zip(opened.plan.ids, opened.plan.fold.tolist(), strict=True))
    return np.array([number[name] for name in opened.part.ids], dtype=np.int64)


def read_curves(experiment: Experiment, count: int) -> list[FoldCurve]:
    """The curves of the folds that have a history; what cannot be read is left out."""
    found = [_curve(experiment, number) for number in range(count)]
    return [curve for curve in found if curve is not None]


def _curve(experiment: Experiment, fold: int) -> FoldCurve | None:
    run, metric = experiment.workspace.fold(fold), experiment.metric
    try:
        with run.history.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        score = columns[metric.name]
    except (OSError, ValueError, csv.Error, KeyError, IndexError, TypeError):
        return None
    manifest: dict[str, Any] = {}
    with contextlib.suppress(DamagedError):
        manifest = files.read_json(run.done, DamagedError) if run.done.is_file() else {}
    epochs = columns.get("epoch", np.arange(len(rows), dtype=float)) + 1
    best = _best_row(score, epochs, manifest, up=metric.greater_is_better)
    return FoldCurve(
        fold=fold,
        epochs=epochs,
        columns=columns,
        best_epoch=int(epochs[best]),
        best=float(score[best]),
        early=bool(manifest.get("early")),
        seconds=seconds_of(run),
        planned=experiment.config.train.epochs,
    )


def _best_row(score: Array, epochs: Array, manifest: dict[str, Any], *, up: bool) -> int:
    """The row of the epoch whose checkpoint is kept; without a manifest, of the best score."""
    kept = (manifest.get("best") or {}).get("epoch")
    rows = np.flatnonzero(epochs == kept + 1) if isinstance(kept, int | float) else np.empty(0)
    if len(rows):
        return int(rows[0])
    signed = np.where(np.isfinite(score), score if up else -score, -np.inf)
    return int(signed.argmax())


def seconds_of(run: RunDir) -> float | None:
    """The time of all epochs in the log of a fold; None where it says nothing."""
    try:
        text = run.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = [float(value) for value in re.findall(r"  (\d+\.\d) s", text)]
    return math.fsum(found) if found else None
