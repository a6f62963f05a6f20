"""`comp predict`: validation and test probabilities of each fold, with their ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.core import checksums, files, locks
from comp.core.errors import DamagedError, PredictionsError, RunError
from comp.core.progress import say
from comp.data.cache.pack import Pack, open_pack
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index
from comp.ensemble.tta_choice import Judged, judge_maps, judge_probs, read_judged
from comp.inference.pieces import Parts, remove_parts
from comp.inference.predict import AUTO, VIEWS, check_tta, net_of, predict_maps, predict_probs
from comp.inference.predictions import Predictions, save_pieces
from comp.models.device import Device, choose_device
from comp.models.networks import Net
from comp.stages.experiment import (
    Experiment,
    parse_folds,
    read_plan,
    read_test_images,
    read_train,
    sweep_cache,
)
from comp.stages.train import finished
from comp.train import checkpoint

JUDGED_SIDE = 256  # of the maps that views are judged on
JUDGED_BYTES = 2 << 30  # of them, all views of all folds together


def predict(experiment: Experiment, folds: str) -> list[Path]:
    """Make the predictions of the folds that `folds` names; the folders that were written.

    What is there already, from the same checkpoint, plan, images and TTA, is left as it is.
    """
    predictor = open_predictor(experiment)
    return predictor.run(parse_folds(folds, predictor.plan.count))


def open_predictor(experiment: Experiment) -> Predictor:
    """The predictor of an experiment, with its index, its test images and its plan."""
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
    return Predictor(experiment, index, test, plan)


class Predictor:
    """Opens packs and the device only when something is missing."""

    def __init__(self, experiment: Experiment, index: Index, test: Index, plan: FoldPlan) -> None:
        self.tta = experiment.config.predict.tta
        check_tta(self.tta)
        self.experiment, self.index, self.test, self.plan = experiment, index, test, plan
        self.packs: dict[str, Pack] = {}
        self.device: Device | None = None

    def run(self, folds: list[int]) -> list[Path]:
        """Predict what is missing of these folds; the folders that were written."""
        runs = {fold: self.experiment.workspace.fold(fold) for fold in folds}
        for fold, run in runs.items():
            _refuse_unfinished(self.experiment, self.plan, fold, run)
        self.tta = self.judge().chosen if self.tta == AUTO else self.tta
        return [path for fold, run in runs.items() for path in self._fold(fold, run)]

    def _fold(self, fold: int, run: RunDir) -> list[Path]:
        if self._missing(fold, run):
            with locks.writing(run.path):
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
            "checkpoint_sha256": checksums.digest_file(path),
            "tta": self.tta,
        }
        missing, spatial = {}, self.experiment.task.spatial
        for part, folder in _folders(run).items():
            index = self.index if part == "valid" else self.test
            wanted = {
                **common,
                "part": part,
                "ids_sha256": checksums.digest_lines(self._ids(part, fold)),
                "content": index.file_sizes(),
                **({"side": mask_side(self.experiment.config)} if spatial else {}),
            }
            if saved_source(folder) != wanted:
                missing[part] = wanted
        return missing

    def _predict(self, fold: int, run: RunDir, missing: dict[str, dict[str, Any]]) -> None:
        path = run.checkpoint(self.experiment.config.predict.checkpoint)
        for folder in _folders(run).values():
            files.sweep(folder, alone=True)
        net = self._net(path, fold)
        for part, source in missing.items():
            self._write(net, part, fold, _folders(run)[part], source)

    def _net(self, path: Path, fold: int) -> Net:
        state = checkpoint.load(path)
        if state.get("plan") != self.plan.fingerprint or state.get("fold") != fold:
            raise RunError(
                f"{path}: of fold {state.get('fold')} and plan {str(state.get('plan'))[:8]}, "
                f"wanted fold {fold} of plan {self.plan.fingerprint[:8]}"
            )
        self.device = self.device or choose_device(self.experiment.config.train.precision)
        return net_of(state, self.experiment.config, self.experiment.task, self.device)

    def judge(self) -> Judged:
        """What the views are worth out of fold: from its file, or measured on every fold that is
        finished and then written there. RunError without a finished fold."""
        paths = [self.experiment.workspace.fold(number) for number in range(self.plan.count)]
        which = self.experiment.config.predict.checkpoint
        done = {n: run for n, run in enumerate(paths) if finished(run, self.plan.fingerprint)}
        digests = {str(n): checksums.digest_file(run.checkpoint(which)) for n, run in done.items()}
        basis = {"plan": self.plan.fingerprint, "checkpoints": digests}
        file = self.experiment.workspace.run / "tta.json"
        known: dict[str, Any] = {}
        with contextlib.suppress(RunError):  # not there, or torn: then it is measured again
            known = files.read_json(file, RunError)
        if known.get("basis") == basis:
            return read_judged(known)
        if not done:
            raise RunError("predict.tta: auto judges trained folds, there are none: `comp train`")
        nets = {n: run.checkpoint(which) for n, run in done.items()}
        judged = self._judged_maps(nets) if self.experiment.task.spatial else self._judged(nets)
        files.write_json(file, {"basis": basis, **judged.plain()})
        return judged

    def _judged(self, nets: dict[int, Path]) -> Judged:
        ids = [self.plan.valid(number) for number in nets]
        parts = []
        for (number, path), own in zip(nets.items(), ids, strict=True):
            net = self._net(path, number)
            probs = [self._probs(net, "valid", own, v, f"fold {number} {v}") for v in VIEWS]
            parts.append(np.stack(probs))
        rows = np.concatenate([np.asarray(self.index.rows(own)) for own in ids])
        return judge_probs(
            VIEWS,
            self.experiment.task,
            self.experiment.metric,
            self.index.labels[rows],
            np.concatenate(parts, axis=1),
            self.plan.fold[rows],
            len(self.index.classes),
        )

    def _judged_maps(self, nets: dict[int, Path]) -> Judged:
        """On as many images of each fold as fit into JUDGED_BYTES, at JUDGED_SIDE at the most."""
        side = min(JUDGED_SIDE, mask_side(self.experiment.config))
        columns = self.experiment.task.columns(len(self.index.classes))
        ids = {n: self.plan.valid(n) for n in nets}
        room = max(1, JUDGED_BYTES // (len(VIEWS) * columns * side * side * len(nets)))
        for number, own in ids.items():
            step = -(-len(own) // room)
            ids[number] = own[::step]
        whole = sum(len(self.plan.valid(n)) for n in nets)
        rows = np.concatenate([np.asarray(self.index.rows(own)) for own in ids.values()])
        say(f"predict.tta auto: {len(rows)} of {whole} images judged by {len(VIEWS)} views")
        parts = []
        for number, path in nets.items():
            net, what = self._net(path, number), f"fold {number} "
            views = [self._maps(net, "valid", ids[number], side, v, what + v) for v in VIEWS]
            parts.append(np.stack([np.concatenate(list(pieces)) for pieces in views]))
        return judge_maps(
            VIEWS,
            self.experiment.task,
            self.experiment.metric,
            self._truth(rows, side),
            np.concatenate(parts, axis=1),
            self.plan.fold[rows],
            len(self.index.classes),
        )

    def _truth(self, rows: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
        """(n, L, side, side) uint8: the masks of training images, the nearest pixel of each."""
        assert self.index.masks is not None
        out = []
        for row in rows:
            mask = self.index.masks.read(int(row))
            down, across = (np.linspace(0, n - 1, side).round().astype(int) for n in mask.shape[:2])
            out.append(mask[down][:, across].transpose(2, 0, 1))
        return np.stack(out)

    def _ids(self, part: str, fold: int) -> tuple[str, ...]:
        return self.plan.valid(fold) if part == "valid" else self.test.ids

    def _write(self, net: Net, part: str, fold: int, folder: Path, source: dict[str, Any]) -> None:
        config, ids = self.experiment.config, self._ids(part, fold)
        size = config.predict.batch_size or 2 * config.train.batch_size
        facts = [f"{name} {value}" for name, value in source.items()]
        keep = Parts(folder, checksums.digest_lines([str(size), *facts]))
        keep.sweep()
        what, task = f"fold {fold} {part}", self.experiment.task
        if task.spatial:
            self._write_maps(net, part, ids, folder, source, keep, what)
        else:
            probs = self._probs(net, part, ids, self.tta, what, keep)
            Predictions(ids, probs, self.index.classes, task.link.name, source).save(folder)
        say(f"fold {fold}: {len(ids)} {part} images predicted -> {folder}")

    def _write_maps(
        self,
        net: Net,
        part: str,
        ids: tuple[str, ...],
        folder: Path,
        source: dict[str, Any],
        keep: Parts,
        what: str,
    ) -> None:
        """The same for answers a pixel: a piece at a time, in memory and on the disk."""
        side = mask_side(self.experiment.config)
        names = self.experiment.task.column_names(self.index.classes)
        pieces = self._maps(net, part, ids, side, self.tta, what, keep)
        shape = (len(ids), len(names), side, side)
        link = self.experiment.task.link.name
        save_pieces(folder, ids, shape, pieces, names, link, source)

    def _maps(
        self,
        net: Net,
        part: str,
        ids: tuple[str, ...],
        side: int,
        tta: str,
        what: str,
        keep: Parts | None = None,
    ) -> Iterator[np.ndarray[Any, Any]]:
        config, task = self.experiment.config, self.experiment.task
        index = self.index if part == "valid" else self.test
        return predict_maps(
            net,
            task,
            self._images(part),
            np.asarray(index.rows(ids)),
            index.paths,
            config.image,
            side=side,
            columns=task.columns(len(self.index.classes)),
            tta=tta,
            batch_size=config.predict.batch_size or 2 * config.train.batch_size,
            what=what,
            keep=keep,
        )

    def _images(self, part: str) -> Any:
        """The packed images of a part."""
        if part not in self.packs:
            index, paths = self.index if part == "valid" else self.test, self.experiment.workspace
            sweep_cache(paths.cache)
            self.packs[part] = open_pack(index, self.experiment.config.image, paths.cache)
        return self.packs[part].images

    def _probs(
        self,
        net: Net,
        part: str,
        ids: tuple[str, ...],
        tta: str,
        what: str,
        keep: Parts | None = None,
    ) -> np.ndarray[Any, Any]:
        config = self.experiment.config
        index = self.index if part == "valid" else self.test
        return predict_probs(
            net,
            self.experiment.task,
            self._images(part),
            np.asarray(index.rows(ids)),
            tta=tta,
            batch_size=config.predict.batch_size or 2 * config.train.batch_size,
            what=what,
            keep=keep,
        )


def mask_side(config: Config) -> int:
    """The side of the square of probabilities that is kept of each image."""
    return config.predict.mask_size or config.image.size


def _folders(run: RunDir) -> dict[str, Path]:
    return {"valid": run.valid, "test": run.test}


def saved_source(folder: Path) -> dict[str, Any] | None:
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
