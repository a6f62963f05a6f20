"""`comp predict`: validation and test probabilities of each fold, with their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from comp import files
from comp.data.folds import FoldPlan
from comp.data.index import Index
from comp.data.pack import Pack, open_pack
from comp.device import Device, choose_device
from comp.errors import RunError, pick
from comp.predict import TTAS, net_of, predict_probs
from comp.predictions import Predictions, saved_source
from comp.progress import say
from comp.runs import RunDir
from comp.stages.experiment import Experiment, parse_folds, read_plan, read_test_images, read_train
from comp.stages.train import finished
from comp.train import checkpoint

PARTS = ("valid", "test")


def predict(experiment: Experiment, folds: str) -> list[Path]:
    """Make the predictions of the folds that `folds` names; the folders that were written.

    What is there already, from the same checkpoint, plan, images and TTA, is left as it is.
    """
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
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
        runs = {fold: self.experiment.workspace.fold(fold) for fold in folds}
        for fold, run in runs.items():
            _refuse_unfinished(self.experiment, self.plan, fold, run)
        written: list[Path] = []
        for fold, run in runs.items():
            files.sweep(run.valid)
            files.sweep(run.test)
            written += self._fold(fold, run)
        return written

    def _fold(self, fold: int, run: RunDir) -> list[Path]:
        path = run.checkpoint(self.experiment.config.predict.checkpoint)
        common = {
            "plan": self.plan.fingerprint,
            "fold": fold,
            "checkpoint": path.name,
            "checkpoint_sha256": files.digest_file(path),
            "tta": self.experiment.config.predict.tta,
        }
        wanted = {
            part: {**common, "part": part, "ids_sha256": files.digest_lines(self._ids(part, fold))}
            for part in PARTS
        }
        folders = {"valid": run.valid, "test": run.test}
        missing = [part for part in PARTS if saved_source(folders[part]) != wanted[part]]
        if not missing:
            return []
        state = checkpoint.load(path)
        if state.get("plan") != self.plan.fingerprint or state.get("fold") != fold:
            raise RunError(
                f"{path}: of fold {state.get('fold')} and plan {str(state.get('plan'))[:8]}, "
                f"wanted fold {fold} of plan {self.plan.fingerprint[:8]}"
            )
        self.device = self.device or choose_device(self.experiment.config.train.precision)
        net = net_of(state, self.experiment.config, self.experiment.task, self.device)
        for part in missing:
            self._write(net, part, fold, folders[part], wanted[part])
        return [folders[part] for part in missing]

    def _ids(self, part: str, fold: int) -> tuple[str, ...]:
        return self.plan.valid(fold) if part == "valid" else self.test.ids

    def _write(self, net: Any, part: str, fold: int, folder: Path, source: dict[str, Any]) -> None:
        config, ids = self.experiment.config, self._ids(part, fold)
        index = self.index if part == "valid" else self.test
        if part not in self.packs:
            self.packs[part] = open_pack(index, config.image, self.experiment.workspace.cache)
        probs = predict_probs(
            net,
            self.experiment.task,
            self.packs[part].images,
            np.asarray(index.rows(ids)),
            tta=config.predict.tta,
            batch_size=config.predict.batch_size or 2 * config.train.batch_size,
            what=f"fold {fold} {part}",
        )
        link = self.experiment.task.link.name
        Predictions(ids, probs, self.index.classes, link, source).save(folder)
        say(f"fold {fold}: {len(ids)} {part} images predicted -> {folder}")


def _refuse_unfinished(experiment: Experiment, plan: FoldPlan, fold: int, run: RunDir) -> None:
    changed = run.drift(experiment.config)
    if changed:
        keys = ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in changed.items())
        raise RunError(
            f"{run.path}: trained with another config ({keys}). Use that config, or train under "
            "another `name`."
        )
    if finished(run, plan.fingerprint) is None:
        raise RunError(
            f"fold {fold} is not trained to its end ({run.done} is missing). "
            f"Run `comp train --fold {fold}` first."
        )
