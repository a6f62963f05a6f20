"""`comp predict`: validation and test probabilities of each fold, with their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from comp import files, lock
from comp.data.folds import FoldPlan
from comp.data.index import Index
from comp.data.layouts import read_test
from comp.data.pack import Pack, open_pack
from comp.device import Device, choose_device
from comp.errors import DamagedError, PredictionsError, RunError, pick
from comp.parts import Parts, remove_parts
from comp.predict import TTAS, net_of, predict_probs
from comp.predictions import Predictions
from comp.progress import say
from comp.runs import RunDir
from comp.stages.experiment import Experiment, parse_folds, read_plan, read_train, sweep_cache
from comp.stages.train import finished
from comp.train import checkpoint


def predict(experiment: Experiment, folds: str) -> list[Path]:
    """Make the predictions of the folds that `folds` names; the folders that were written.

    What is there already, from the same checkpoint, plan, images and TTA, is left as it is.
    """
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test(experiment.config.data, experiment.task, index.classes)
    numbers = parse_folds(folds, plan.count)
    return Predictor(experiment, index, test, plan).run(numbers)


class Predictor:
    """Opens packs and the device only when something is missing."""

    def __init__(self, experiment: Experiment, index: Index, test: Index, plan: FoldPlan) -> None:
        pick(TTAS, experiment.config.predict.tta, "predict.tta")
        self.experiment, self.index, self.test, self.plan = experiment, index, test, plan
        self.packs: dict[str, Pack] = {}
        self.device: Device | None = None

    def run(self, folds: list[int]) -> list[Path]:
        """Predict what is missing of these folds; the folders that were written."""
        runs = {fold: self.experiment.workspace.fold(fold) for fold in folds}
        for fold, run in runs.items():
            _refuse_unfinished(self.experiment, self.plan, fold, run)
        return [path for fold, run in runs.items() for path in self._fold(fold, run)]

    def _fold(self, fold: int, run: RunDir) -> list[Path]:
        if self._missing(fold, run):
            with lock.writing(run.path):
                missing = self._missing(fold, run)  # again: now nobody else writes
                self._predict(fold, run, missing)
        else:
            missing = {}
        for folder in _folders(run).values():
            remove_parts(folder)
        return [_folders(run)[part] for part in missing]

    def _missing(self, fold: int, run: RunDir) -> dict[str, dict[str, Any]]:
        """The parts that are not there, each with where it will come from."""
        path = run.checkpoint(self.experiment.config.predict.checkpoint)
        common = {
            "plan": self.plan.fingerprint,
            "fold": fold,
            "checkpoint": path.name,
            "checkpoint_sha256": files.digest_file(path),
            "tta": self.experiment.config.predict.tta,
        }
        missing = {}
        for part, folder in _folders(run).items():
            index = self.index if part == "valid" else self.test
            wanted = {
                **common,
                "part": part,
                "ids_sha256": files.digest_lines(self._ids(part, fold)),
                "content": index.file_sizes(),
            }
            if _saved_source(folder) != wanted:
                missing[part] = wanted
        return missing

    def _predict(self, fold: int, run: RunDir, missing: dict[str, dict[str, Any]]) -> None:
        path = run.checkpoint(self.experiment.config.predict.checkpoint)
        for folder in _folders(run).values():
            files.sweep(folder, alone=True)
        state = checkpoint.load(path)
        if state.get("plan") != self.plan.fingerprint or state.get("fold") != fold:
            raise RunError(
                f"{path}: of fold {state.get('fold')} and plan {str(state.get('plan'))[:8]}, "
                f"wanted fold {fold} of plan {self.plan.fingerprint[:8]}"
            )
        self.device = self.device or choose_device(self.experiment.config.train.precision)
        net = net_of(state, self.experiment.config, self.experiment.task, self.device)
        for part, source in missing.items():
            self._write(net, part, fold, _folders(run)[part], source)

    def _ids(self, part: str, fold: int) -> tuple[str, ...]:
        return self.plan.valid(fold) if part == "valid" else self.test.ids

    def _write(self, net: Any, part: str, fold: int, folder: Path, source: dict[str, Any]) -> None:
        config, ids = self.experiment.config, self._ids(part, fold)
        index = self.index if part == "valid" else self.test
        if part not in self.packs:
            sweep_cache(self.experiment.workspace.cache)
            self.packs[part] = open_pack(index, config.image, self.experiment.workspace.cache)
        size = config.predict.batch_size or 2 * config.train.batch_size
        key = files.digest_lines(
            [str(size), *(f"{name} {value}" for name, value in source.items())]
        )
        keep = Parts(folder, key)
        keep.sweep()
        probs = predict_probs(
            net,
            self.experiment.task,
            self.packs[part].images,
            np.asarray(index.rows(ids)),
            tta=config.predict.tta,
            batch_size=size,
            what=f"fold {fold} {part}",
            keep=keep,
        )
        link = self.experiment.task.link.name
        Predictions(ids, probs, self.index.classes, link, source).save(folder)
        say(f"fold {fold}: {len(ids)} {part} images predicted -> {folder}")


def _folders(run: RunDir) -> dict[str, Path]:
    return {"valid": run.valid, "test": run.test}


def _saved_source(folder: Path) -> dict[str, Any] | None:
    """Where the predictions in `folder` came from; None when there are none, or torn ones."""
    try:
        source = Predictions.load(folder).source
    except PredictionsError:
        return None
    return {name: value for name, value in source.items() if name != "path"}


def _refuse_unfinished(experiment: Experiment, plan: FoldPlan, fold: int, run: RunDir) -> None:
    run.refuse_drift(experiment.config)
    try:
        manifest = finished(run, plan.fingerprint, experiment.config.train.epochs)
    except DamagedError as problem:
        raise RunError(
            f"fold {fold}: {problem}. `comp train --fold {fold}` looks what can be saved"
        ) from problem
    if manifest is None:
        raise RunError(
            f"fold {fold} is not trained to its end. Run `comp train --fold {fold}` first."
        )
