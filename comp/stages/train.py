"""`comp train`: the folds asked for, each to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp import files, lock
from comp.config import TrainConfig
from comp.data.augment import flips_writing
from comp.data.folds import FoldPlan
from comp.data.index import Index
from comp.data.pack import Pack, open_pack
from comp.data.subset import Subset, choose_subset
from comp.device import Device, choose_device
from comp.errors import RunError
from comp.progress import say
from comp.runs import RunDir
from comp.stages.experiment import Experiment, check_names, parse_folds, read_plan, read_train
from comp.train.learner import Job
from comp.train.loop import train_fold
from comp.train.stop import Stop


@dataclass(frozen=True)
class Trained:
    """A finished fold: its number, what its manifest says, and whether it was finished before."""

    fold: int
    manifest: dict[str, Any]
    before: bool


def train(experiment: Experiment, folds: str, *, restart: bool = False) -> list[Trained]:
    """Train the folds that `folds` names; finished ones are skipped, unfinished ones go on.

    restart: remove what these folds have and begin again.
    Raises RunError when a run folder was begun with another config or plan, HeldError when another
    process is at work in it; Interrupted and OutOfTime after a checkpoint was written.
    """
    config = experiment.config
    check_names(experiment)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    runs = {k: experiment.workspace.fold(k) for k in parse_folds(folds, plan.count)}
    if not restart:
        for run in runs.values():
            run.refuse_drift(config)
            finished(run, plan.fingerprint, config.train.epochs)
    if flips_writing(config.augment.recipe, index.classes):
        say(
            f"augment.recipe: {config.augment.recipe} mirrors images, and the classes look like "
            "letters or digits: mirrored, b is d and p is q. If they are, use light"
        )
    trainer = _Trainer(experiment, index, plan, Stop(config.train.max_hours))
    with trainer.stop.listening():
        return [trainer.run(fold, run, restart=restart) for fold, run in runs.items()]


class _Trainer:
    """Opens the pack and the device only when a fold is to be trained."""

    def __init__(self, experiment: Experiment, index: Index, plan: FoldPlan, stop: Stop) -> None:
        self.experiment, self.index, self.plan, self.stop = experiment, index, plan, stop
        self.pack: Pack | None = None
        self.device: Device | None = None
        self.subset: Subset | None = None
        size = experiment.config.train.subset
        if size is not None:
            self.subset = choose_subset(index, plan, size, experiment.config.seed)
            say(
                f"a subset of {size} of {len(index)} images; class shares are at most "
                f"{self.subset.distance:.2%} off (class {self.subset.worst})"
            )

    def run(self, fold: int, run: RunDir, *, restart: bool) -> Trained:
        """Train one fold, alone in its folder, or find it finished."""
        config = self.experiment.config
        with lock.writing(run.path):
            if restart:
                run.clear()
            run.claim(config)
            manifest = finished(run, self.plan.fingerprint, config.train.epochs)
            if manifest is not None:
                say(f"fold {fold}: finished before, skipped")
                return Trained(fold, manifest, before=True)
            return Trained(fold, train_fold(self._job(fold, run)), before=False)

    def _job(self, fold: int, run: RunDir) -> Job:
        config, index = self.experiment.config, self.index
        if self.device is None:
            precise = {"deterministic": config.train.deterministic}
            self.device = choose_device(config.train.precision, **precise)
            say(f"training on {self.device.describe()}")
        if self.pack is None:
            self.pack = open_pack(index, config.image, self.experiment.workspace.cache)
        train, valid = index.rows(self.plan.train(fold)), index.rows(self.plan.valid(fold))
        if self.subset is not None:
            train, valid = (np.intersect1d(rows, self.subset.rows) for rows in (train, valid))
        return Job(
            config=config,
            task=self.experiment.task,
            metric=self.experiment.metric,
            fold=fold,
            images=self.pack.images,
            target=index.labels,
            classes=index.classes,
            train_rows=train,
            valid_rows=valid,
            plan=self.plan.fingerprint,
            run=run,
            device=self.device,
            workers=count_workers(config.train, self.device),
            masks=index.masks,
            stop=self.stop,
        )


def finished(run: RunDir, plan: str, epochs: int = 0) -> dict[str, Any] | None:
    """The manifest of a fold that was trained for `epochs` at least, or out of patience; or None.

    Raises RunError when it is of another plan.
    """
    if not run.done.is_file():
        return None
    manifest = files.read_json(run.done, RunError)
    if manifest.get("plan") != plan:
        raise RunError(
            f"{run.path}: trained with plan {str(manifest.get('plan'))[:8]}, the plan is now "
            f"{plan[:8]}. Bring the old plan back, or train under another `name`, or start the "
            "fold over with `comp train --restart`."
        )
    whole = manifest.get("early") or manifest.get("epochs", 0) >= epochs
    return manifest if whole else None


def count_workers(config: TrainConfig, device: Device) -> int:
    """`train.workers`; `auto`: a few processes for a GPU, none where the CPU does the training."""
    if config.workers != "auto":
        return config.workers
    if device.torch_device.type != "cuda":
        return 0
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
