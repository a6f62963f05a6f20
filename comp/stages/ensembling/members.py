"""The members of an ensemble: fold models of one or several runs, and predictions from outside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.runs import run_config
from comp.config.workspace import RunDir
from comp.core import files
from comp.core.errors import (
    DamagedError,
    PredictionsError,
    RunError,
)
from comp.core.progress import say
from comp.data.folds.make import judged_part
from comp.data.folds.plan import FoldPlan
from comp.data.folds.plan_file import load_plan
from comp.data.index.index import Index
from comp.ensemble.blend import aligned, out_of_fold
from comp.ensemble.product import check_attributes, product
from comp.inference.predictions import Predictions
from comp.inference.views import AUTO
from comp.stages.experiment import (
    Experiment,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
)
from comp.stages.predict import Predictor, saved_source
from comp.train.checkpoints.finished import finished


@dataclass(frozen=True)
class Model:
    """What the out-of-fold table compares: a run, or predictions from outside.

    `name`     of the run, or of the file
    `oof`      its out-of-fold rows; None: it votes, but is in no score
    `tests`    the predictions of the test images, one a fold model
    `missing`  folds that were left out
    `root`     the workspace folder, below which members are named
    `fold`     (N,) of a run with a plan of its own: the fold of each training image in it
    """

    name: str
    oof: Predictions | None
    tests: tuple[Predictions, ...]
    missing: tuple[int, ...] = ()
    root: Path = Path()
    fold: np.ndarray[Any, Any] | None = None

    @property
    def member_names(self) -> list[str]:
        """What each of `tests` is called."""
        names = [str(test.source.get("path", self.name)) for test in self.tests]
        if self.root == Path():
            return names
        return [name.removeprefix(f"{self.root}{os.sep}") for name in names]


@dataclass(frozen=True)
class Ground:
    """What every member must fit: the experiment, its images, its plan."""

    experiment: Experiment
    index: Index
    test: Index
    plan: FoldPlan
    partial: bool = False


def run_experiment(name: str, base: Experiment) -> Experiment:
    """The experiment of a run; of another one than `base` it is read from its folder, with the
    test-time augmentation that its predictions were made with."""
    if name == base.name:
        return base
    config = run_config(name, base.workspace.run.parent)
    sources = [
        saved_source(path)
        for part in ("valid", "test")
        for path in sorted((base.workspace.run.parent / name).glob(f"fold_*/{part}"))
    ]
    ttas = {str(source["tta"]) for source in sources if source and "tta" in source}
    if len(ttas) > 1 and (base.workspace.run.parent / name / "tta.json").is_file():
        ttas = {AUTO}  # views that differ by fold: each fold's were chosen on the others
    if len(ttas) == 1:
        config = config.model_copy(
            update={"predict": config.predict.model_copy(update={"tta": ttas.pop()})}
        )
    return open_experiment(config, base.workspace.root)


def run_model(ground: Ground, experiment: Experiment) -> Model:
    """The folds of a run, predicted where they are not yet.

    A run with another plan of the same images, as `comp folds make --repeats` writes them, keeps
    it: its out-of-fold rows are joined by id. A run on other files of the same images (larger ones,
    say) is predicted on these. Raises as `_run_model` does.
    """
    ground = _own_images(ground, experiment)
    plan = _own_plan(ground, experiment)
    model = _run_model(replace(ground, plan=plan), experiment)
    if plan.fingerprint == ground.plan.fingerprint:
        return model
    say(f"{experiment.name}: its folds are those of {plan.path}, other folds of the same images")
    oof = None if model.oof is None else _told_plan(model.oof, ground)
    tests = tuple(_told_plan(test, ground) for test in model.tests)
    return replace(model, oof=oof, tests=tests, fold=plan.fold)


def _own_images(ground: Ground, experiment: Experiment) -> Ground:
    """The ground with the image files that a run was trained on, where its own config names files
    of the same ids and labels, and those of the ground hold something else."""
    if experiment.config.data == ground.experiment.config.data:
        return ground
    cache = ground.experiment.workspace.cache
    trained = {manifest.get("images") for manifest in _manifests(experiment)} - {None, ""}
    if not trained or ground.index.contents(cache) in trained:
        return ground
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    same = index.fingerprint == ground.index.fingerprint and test.ids == ground.test.ids
    return replace(ground, index=index, test=test) if same else ground


def _own_plan(ground: Ground, experiment: Experiment) -> FoldPlan:
    """The plan that a run was trained with where it is another one of the same images, groups and
    labels; that of the ground for any other run."""
    paths, known = experiment.workspace, ground.plan
    if experiment.name == ground.experiment.name or not paths.plan_csv.is_file():
        return known
    used = {str(manifest.get("plan")) for manifest in _manifests(experiment)}
    if not used or known.fingerprint in used:
        return known
    plan = load_plan(paths.plan_csv, paths.plan_json)
    same = plan.index_fingerprint == ground.index.fingerprint
    if plan.fingerprint not in used or not same:
        return known
    return read_plan(experiment, ground.index)


def _manifests(experiment: Experiment) -> list[dict[str, Any]]:
    """What the finished folds of a run say; a damaged manifest is reported where its fold is."""
    found = []
    for path in sorted(experiment.workspace.run.glob("fold_*/done.json")):
        with contextlib.suppress(DamagedError):
            found.append(files.read_json(path, DamagedError))
    return found


def _told_plan(part: Predictions, ground: Ground) -> Predictions:
    """Predictions of another plan as members of this one; their own plan stays in the source."""
    own = part.source.get("plan")
    source = {**part.source, "plan": ground.plan.fingerprint, "own_plan": own}
    return replace(part, source=source)


def _run_model(ground: Ground, experiment: Experiment) -> Model:
    """The folds of a run of the ground's plan.

    Raises RunError for folds that are not finished or are of another plan (unless `partial`, which
    leaves them out), PredictionsError for damaged predictions (likewise).
    """
    index, plan = ground.index, ground.plan
    numbers = list(range(plan.count))
    refit = ground.experiment.config.ensemble.refit
    if ground.partial:
        numbers = [n for n in numbers if _whole(experiment.workspace.fold(n), plan.fingerprint)]
    predictor = Predictor(experiment, index, ground.test, plan)
    predictor.run(numbers)
    refits = predictor.refitted() if refit else []
    parts, tests = [], []
    for number in numbers:
        run = experiment.workspace.fold(number)
        try:
            pair = Predictions.load(run.valid), Predictions.load(run.test)
        except PredictionsError as problem:
            if not ground.partial:
                raise
            say(f"left out: {problem}")
            continue
        _refuse_pair(run, *pair, same_views=experiment.config.predict.tta != AUTO)
        parts.append(pair[0])
        tests.append(pair[1])
    if not parts:
        raise RunError(f"{experiment.workspace.run}: no fold is whole. Run `comp train` first.")
    kept = {int(part.source["fold"]) for part in parts}
    missing = tuple(n for n in range(plan.count) if n not in kept)
    judged, fold, _ = judged_part(index, plan)
    names = experiment.task.column_names(index.classes)
    oof = out_of_fold(parts, judged, fold, plan.fingerprint, partial=ground.partial, columns=names)
    root = experiment.workspace.root
    tests += [Predictions.load(folder) for folder in refits]
    return Model(experiment.name, oof, tuple(tests), missing, root)


def _refuse_pair(run: RunDir, valid: Predictions, test: Predictions, *, same_views: bool) -> None:
    """RunError when the predictions of a fold are not of one checkpoint.

    same_views: whether they have the same views; with `predict.tta: auto` those of the validation
    images are chosen by the other folds.
    """
    keys = ("checkpoint_sha256", "tta") if same_views else ("checkpoint_sha256",)
    made = [[part.source.get(key) for key in keys] for part in (valid, test)]
    if made[0] != made[1]:
        raise RunError(
            f"{run.path}: predicted anew by another process while it was read. Run the same "
            "command again"
        )


def _whole(run: RunDir, plan: str) -> bool:
    """Whether a fold is finished and undamaged; a damaged one is reported."""
    try:
        return finished(run, plan) is not None
    except DamagedError as problem:
        say(f"left out: {problem}")
        return False


def product_model(ground: Ground, experiments: Sequence[Experiment]) -> Model:
    """One model of the joint classes from runs of one attribute each, each with a plan of its own.

    Every attribute's out-of-fold rows come from models that had not seen the image, whatever its
    plan; the rows are joined by id.
    """
    models, classes = [], []
    for experiment in experiments:
        index = read_train(experiment)
        test = read_test_images(experiment, index.classes)
        own = Ground(experiment, index, test, read_plan(experiment, index), ground.partial)
        models.append(run_model(own, experiment))
        classes.append(index.classes)
    joint = ground.index.classes
    check_attributes(joint, classes)
    name = " x ".join(model.name for model in models)
    source: dict[str, Any] = {"plan": ground.plan.fingerprint, "path": name}
    oofs = [model.oof for model in models if model.oof is not None]
    covered = (
        [i for i in ground.index.ids if all(i in set(oof.ids) for oof in oofs)]
        if ground.partial
        else list(ground.index.ids)
    )
    oof = product([part.align(covered) for part in oofs], joint, source)
    means = [_mean(model.tests, ground.test.ids) for model in models]
    source = {
        **source,
        "tests": [
            {"run": name, **{k: v for k, v in test.source.items() if k != "path"}}
            for model in models
            for name, test in zip(model.member_names, model.tests, strict=True)
        ],
    }
    missing = tuple(sorted({fold for model in models for fold in model.missing}))
    return Model(name, oof, (product(means, joint, source),), missing)


def _mean(tests: Sequence[Predictions], ids: Sequence[str]) -> Predictions:
    """The mean of the fold models, one after the other in memory."""
    parts = [aligned(test, ids) for test in tests]
    total = np.zeros(parts[0].probs.shape, dtype=np.float64)
    for part in parts:
        total += part.probs
    return replace(parts[0], probs=total / len(parts))


def covered_ids(models: Sequence[Model], index: Index) -> list[str]:
    """The training ids for which every judged model has a row, in the order of the index."""
    sets = [set(model.oof.ids) for model in models if model.oof is not None]
    return [name for name in index.ids if all(name in ids for ids in sets)]
