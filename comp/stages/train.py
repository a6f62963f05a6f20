"""`comp train`: the folds asked for, each to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from comp import files
from comp.config import TrainConfig
from comp.data.pack import open_pack
from comp.device import Device, choose_device
from comp.errors import RunError
from comp.progress import say
from comp.runs import RunDir
from comp.stages.experiment import Experiment, check_names, parse_folds, read_plan, read_train
from comp.train.loop import Job, train_fold


@dataclass(frozen=True)
class Trained:
    """A finished fold: its number, what its manifest says, and whether it was finished before."""

    fold: int
    manifest: dict[str, Any]
    before: bool


def train(experiment: Experiment, folds: str) -> list[Trained]:
    """Train the folds that `folds` names; finished ones are skipped, unfinished ones go on.

    Raises RunError when a run folder was begun with another config or plan.
    """
    config = experiment.config
    check_names(experiment)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    numbers = parse_folds(folds, plan.count)
    runs = {number: experiment.workspace.fold(number) for number in numbers}
    done = {number: finished(run, plan.fingerprint) for number, run in runs.items()}
    for run in runs.values():
        run.claim(config)
    out = []
    if not all(done.values()):
        pack = open_pack(index, config.image, experiment.workspace.cache)
        device = choose_device(config.train.precision, deterministic=config.train.deterministic)
        say(f"training on {device.describe()}")
    for number, run in runs.items():
        manifest = done[number]
        if manifest is not None:
            say(f"fold {number}: finished before, skipped")
            out.append(Trained(number, manifest, before=True))
            continue
        job = Job(
            config=config,
            task=experiment.task,
            metric=experiment.metric,
            fold=number,
            images=pack.images,
            target=index.labels,
            classes=index.classes,
            train_rows=index.rows(plan.train(number)),
            valid_rows=index.rows(plan.valid(number)),
            plan=plan.fingerprint,
            run=run,
            device=device,
            workers=count_workers(config.train, device),
        )
        out.append(Trained(number, train_fold(job), before=False))
    return out


def finished(run: RunDir, plan: str) -> dict[str, Any] | None:
    """The manifest of a finished fold, or None; RunError when it is of another plan."""
    if not run.done.is_file():
        return None
    manifest = files.read_json(run.done, RunError)
    if manifest.get("plan") != plan:
        raise RunError(
            f"{run.path}: trained with plan {str(manifest.get('plan'))[:8]}, the plan is now "
            f"{plan[:8]}. Bring the old plan back, or train under another `name`, or remove "
            f"{run.path}."
        )
    return manifest


def count_workers(config: TrainConfig, device: Device) -> int:
    """`train.workers`; `auto`: a few processes for a GPU, none where the CPU does the training."""
    if config.workers != "auto":
        return config.workers
    if device.torch_device.type != "cuda":
        return 0
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
