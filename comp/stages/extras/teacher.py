"""`train.teacher`: soft targets from another run, fold by fold.

Fold k learns from fold k of the teacher, which was trained on the same images and has never seen
the validation part either. (Out-of-fold answers for the training part would come from the other
folds, which have.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from comp.config.sources import TeacherConfig
from comp.core import checksums, files
from comp.core.errors import PredictionsError, RunError
from comp.core.progress import say
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index
from comp.inference.predictions import Predictions
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment
from comp.stages.predict import Predictor
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task, as_soft

Array = np.ndarray[Any, Any]


def teacher_digest(experiment: Experiment, plan: FoldPlan, fold: int) -> str:
    """The digest of the checkpoint that teaches a fold.

    Raises UsageError for no such run, RunError where its fold is not finished or of another plan.
    """
    teacher = _open(experiment, plan, fold)
    return checksums.digest_file(_checkpoint(teacher, fold))


def teacher_probs(experiment: Experiment, index: Index, plan: FoldPlan, fold: int) -> Predictions:
    """The teacher's probabilities of the training part of a fold, kept in the fold's folder.

    Raises what `teacher_digest` raises, and RunError for a teacher of other classes.
    """
    teacher = _open(experiment, plan, fold)
    folder = experiment.workspace.fold(fold).teacher
    ids = plan.train(fold)
    source = {
        "plan": plan.fingerprint,
        "fold": fold,
        "run": teacher.name,
        "checkpoint_sha256": checksums.digest_file(_checkpoint(teacher, fold)),
        "images": index.contents(experiment.workspace.cache),
    }
    try:
        found = Predictions.load(folder)
        if found.ids == ids and {**found.source, "path": ""} == {**source, "path": ""}:
            return found
    except PredictionsError:  # not there yet, or damaged: it is made again
        pass
    say(f"fold {fold}: asking the teacher {teacher.name} about {len(ids)} training images")
    predictor = Predictor(teacher, index, Index((), (), index.classes), plan)
    probs = predictor.answers(fold, "valid", ids, tta="none")
    names = experiment.task.column_names(index.classes)
    made = Predictions(ids, probs, names, experiment.task.link.name, source)
    made.save(folder)
    return made


def own_targets(index: Index, columns: int) -> Array:
    """(N, C) float32: the labels of an index as probabilities, or the shares of its table."""
    if index.shares is None:
        return as_soft(index.labels, columns)
    return index.shares[:, -columns:].copy()  # of the two shares of binary the positive one


def soft_targets(
    own: Array, index: Index, taught: Predictions, teacher: TeacherConfig, task: Task
) -> Array:
    """(N, C) float32: the targets `own`, mixed with what the teacher says of the images that it was
    asked about. Unknown cells stay unknown."""
    rows = index.rows(taught.ids)
    probs = softened(np.asarray(taught.probs, dtype=np.float64), teacher.temperature, task)
    mixed = (1 - teacher.weight) * own[rows] + teacher.weight * probs
    unknown = (own[rows] == UNKNOWN) & (not task.link.measures)
    own[rows] = np.where(unknown, UNKNOWN, mixed)
    return own


def softened(probs: Array, temperature: float, task: Task) -> Array:
    """Probabilities (n, C) as if the logits behind them were divided by the temperature; numbers
    stay as they are."""
    if task.link.measures or temperature == 1:
        return probs
    powers = probs ** (1 / temperature)
    others = (1 - probs) ** (1 / temperature)
    total = powers.sum(axis=1, keepdims=True) if task.link.normalized else powers + others
    return np.asarray(powers / total)


def _open(experiment: Experiment, plan: FoldPlan, fold: int) -> Experiment:
    wanted = experiment.config.train.teacher
    assert wanted is not None, "asked for where there is a teacher"
    if wanted.run == experiment.name:
        raise RunError(f"train.teacher.run: {wanted.run!r} is this run; name a finished one")
    teacher = run_experiment(wanted.run, experiment)
    refuse_teacher(teacher, experiment, plan, [fold], f"train.teacher.run: {wanted.run!r}")
    return teacher


def refuse_teacher(
    teacher: Experiment,
    experiment: Experiment,
    plan: FoldPlan,
    folds: Iterable[int],
    where: str,
) -> None:
    """RunError for a run that may not teach these folds: of another task or other boxes, not
    trained to its end, or of another plan."""
    if teacher.task.name != experiment.task.name:
        raise RunError(
            f"{where}: is of task {teacher.task.name}, this run is of {experiment.task.name}"
        )
    theirs, own = teacher.config.data.boxes, experiment.config.data.boxes
    if theirs != own:
        raise RunError(
            f"{where}: is trained with data.boxes: {theirs}, this run with {own}: its images are "
            "other parts. Only a run with the same boxes can teach"
        )
    for fold in folds:
        done = teacher.workspace.fold(fold).done
        if not done.is_file():
            raise RunError(
                f"{where}: fold {fold} is not trained to its end, and it is what teaches fold "
                f"{fold}. Run `comp train` for it first"
            )
        trained = str(files.read_json(done, RunError).get("plan"))
        if trained != plan.fingerprint:
            raise RunError(
                f"{where}: was trained with plan {trained[:8]}, this is plan "
                f"{plan.fingerprint[:8]}: it has seen validation images of this plan. Only a run "
                "with the same plan can teach"
            )


def _checkpoint(teacher: Experiment, fold: int) -> Any:
    return teacher.workspace.fold(fold).checkpoint(teacher.config.predict.checkpoint)
