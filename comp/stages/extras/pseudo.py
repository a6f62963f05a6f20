"""`comp pseudo`: answers of trained folds for images without labels, to train the next run on.

    pseudo/<name>/<part>/fold_<k>/   probabilities for fold k (see `comp.inference.predictions`)
    pseudo/<name>/manifest.json      what they were made from, and which part is whole; written last

The teacher of fold k is fold k of earlier runs with the same plan: it has never seen the validation
part of fold k, nor learned from anyone who has. Images without labels that are copies of validation
images of fold k stay out of fold k.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files, locks
from comp.core.errors import ConfigError, PredictionsError, UsageError
from comp.data.cache.image_range import with_range
from comp.data.folds.plan import FoldPlan
from comp.data.images.pixel_form import form_of
from comp.data.index.index import Index
from comp.inference.predictions import Predictions
from comp.inference.views import AUTO
from comp.stages.bags import refuse_bags
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train
from comp.stages.extras.near_copies import Copies, near_copies
from comp.stages.extras.pseudo_files import (
    FORMAT,
    Choice,
    confidence,
    fold_digest,
    in_folder,
    refuse_unboxed,
)
from comp.stages.extras.teacher import refuse_teacher
from comp.stages.predict import Predictor
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PseudoFold:
    """The pseudo-labels of one fold: how many images are kept of how many, their mean confidence
    (NaN for numbers), how many copies of validation images stay out, and images of each class."""

    fold: int
    images: int
    kept: int
    confidence: float
    copies: int
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Pseudo:
    """Pseudo-labels that were written: where, by which runs, of each fold."""

    path: Path
    name: str
    runs: tuple[str, ...]
    folds: tuple[PseudoFold, ...]
    classes: tuple[str, ...]


def make_pseudo(
    experiment: Experiment,
    runs: Sequence[str],
    name: str,
    *,
    images: Path | None = None,
    choice: Choice | None = None,
    replace: bool = False,
) -> Pseudo:
    """Predict images without labels by the finished folds of `runs` (mean), and write the answers.

    images: a folder, searched with all below it; None: the test images. Raises ConfigError for a
    task with masks, UsageError where the name is taken, RunError for folds that are not finished or
    are of another plan, DataError for a folder without images.
    """
    choice = choice or Choice()
    _check(experiment.task, choice)
    refuse_bags(experiment.config, "comp pseudo")
    refuse_unboxed(experiment, None if images is None else str(images))
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
    unlabelled = test if images is None else in_folder(experiment.path(images), index.classes)
    folder = experiment.workspace.pseudo(name)
    files.refuse_twin(folder)
    if (folder / "manifest.json").is_file() and not replace:
        raise UsageError(f"{folder} is there already; give another --name, or use --replace")
    opened = [_teacher(run, experiment, plan) for run in runs]
    image = with_range(experiment.config.image, index, experiment.workspace.cache)
    (copies,) = near_copies(
        unlabelled,
        [index],
        experiment.workspace.cache,
        form_of(image),
        "pseudo-labels",
        similar=True,
    )
    teachers = [Predictor(teacher, index, unlabelled, plan) for teacher in opened]
    with locks.writing(folder):
        part = f"answers_{secrets.token_hex(4)}"
        made = [
            _fold(k, teachers, folder / part, unlabelled, copies, choice) for k in range(plan.count)
        ]
        about = {
            "format": FORMAT,
            "plan": plan.fingerprint,
            "classes": list(index.classes),
            "images": None if images is None else str(images),
            "content": unlabelled.contents(experiment.workspace.cache),
            "choice": {"labels": choice.labels, "above": choice.above, "keep": choice.keep},
            "runs": list(runs),
            "answers": part,
            "folds": [fold_digest(folder / part, k) for k in range(plan.count)],
        }
        files.write_json(folder / "manifest.json", about)
        for other in folder.glob("answers_*"):
            if other.name != part:
                shutil.rmtree(other, ignore_errors=True)
    return Pseudo(folder, name, tuple(runs), tuple(made), index.classes)


def _check(task: Task, choice: Choice) -> None:
    if task.spatial:
        raise ConfigError(f"comp pseudo: for answers per image; task {task.name} answers per pixel")
    if task.link.measures and (choice.above is not None or choice.keep is not None):
        raise ConfigError(f"comp pseudo: task {task.name} has no confidence for --above and --keep")


def _teacher(run: str, base: Experiment, plan: FoldPlan) -> Experiment:
    """The experiment of a run that may teach: one with the same plan, all folds trained."""
    found = run_experiment(run, base)
    refuse_teacher(found, base, plan, range(plan.count), f"run {run!r}")
    return found


def _fold(
    fold: int,
    teachers: Sequence[Predictor],
    folder: Path,
    unlabelled: Index,
    copies: Copies,
    choice: Choice,
) -> PseudoFold:
    """Write the answers for one fold; what is there already stays whole until all are written."""
    task, plan = teachers[0].experiment.task, teachers[0].plan
    valid = {*plan.valid(fold)}
    away = {name for name, here in copies.items() if valid & {*here}}
    left = np.array([n for n, name in enumerate(unlabelled.ids) if name not in away], dtype=int)
    probs = np.mean([_answers(teacher, fold) for teacher in teachers], axis=0)[left]
    sure = np.full(len(left), np.nan) if task.link.measures else confidence(probs, task)
    kept = _kept(probs, sure, task, choice)
    if not len(kept):
        raise UsageError(
            f"comp pseudo: fold {fold}: no image is confident enough; the most confident has "
            f"{sure.max(initial=0):.3f}. Lower --above"
        )
    ids = [unlabelled.ids[row] for row in left[kept]]
    link = task.link.name
    source = {
        "plan": plan.fingerprint,
        "fold": fold,
        "members": {t.experiment.name: _digest_of(t, fold) for t in teachers},
    }
    names = task.column_names(unlabelled.classes)
    rows = probs[kept].astype(np.float32)
    Predictions(tuple(ids), rows, names, link, source).save(folder / f"fold_{fold}")
    labels = task.decide(rows) if not task.link.measures else np.zeros((0, len(names)), int)
    counts = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=len(names))
    mean = float(sure[kept].mean())
    return PseudoFold(fold, len(left), len(ids), mean, len(away), tuple(map(int, counts)))


def _answers(teacher: Predictor, fold: int) -> Array:
    """(n, C): those of the test images that are there already are taken."""
    stored = teacher.experiment.workspace.fold(fold).test
    if teacher.tta != AUTO and (stored / "manifest.json").is_file():
        found = Predictions.load(stored)
        current = (
            found.source.get("checkpoint_sha256") == _digest_of(teacher, fold),
            found.source.get("tta") == teacher.tta,
            files.read_json(stored / "manifest.json", PredictionsError).get("images")
            == teacher.test.contents(teacher.experiment.workspace.cache),
        )
        if all(current) and found.ids == teacher.test.ids:
            return np.asarray(found.probs)
    return teacher.answers(fold, "test", teacher.test.ids)


def _digest_of(teacher: Predictor, fold: int) -> str:
    which = teacher.experiment.config.predict.checkpoint
    return checksums.digest_file(teacher.experiment.workspace.fold(fold).checkpoint(which))


def _kept(probs: Array, sure: Array, task: Task, choice: Choice) -> Array:
    """The places of the rows that are kept, in their order."""
    kept = np.arange(len(probs))
    if choice.above is not None:
        cells = np.maximum(probs, 1 - probs).max(axis=1)
        kept = kept[(sure if task.one_answer else cells) >= choice.above]
    if choice.keep is not None:
        most = round(choice.keep * len(probs))
        kept = np.sort(kept[np.argsort(-sure[kept], kind="stable")[:most]])
    return kept
