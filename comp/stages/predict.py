"""`comp predict`: validation and test probabilities of each fold, with their ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.config.workspace import RunDir
from comp.core import checksums, files, locks
from comp.core.errors import DamagedError, PackError, PredictionsError, RunError
from comp.core.progress import say
from comp.data.cache.image_range import refuse_other_range, with_range
from comp.data.cache.pack import Pack, open_pack
from comp.data.cache.store import Images
from comp.data.folds.plan import FoldPlan
from comp.data.images.pixel_form import span_of
from comp.data.index.index import Index
from comp.ensemble.tta_choice import ViewChoice, choose_views, read_view_choice
from comp.inference.outputs import Output, make_output, mask_side
from comp.inference.pieces import Pieces, remove_pieces
from comp.inference.predict import net_of, predict_pieces
from comp.inference.predictions import Predictions, save_pieces
from comp.inference.views import AUTO, VIEWS, check_tta
from comp.models.device import Device
from comp.models.halving import images_at_once
from comp.models.networks import Net
from comp.stages.experiment import (
    Experiment,
    parse_folds,
    read_plan,
    read_test_images,
    read_train,
    sweep_cache,
)
from comp.stages.features.embed import FeatureSource
from comp.stages.features.probe_net import ProbeNet
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.finished import finished, refuse_other_images
from comp.train.hardware.choice import device_of

Array = np.ndarray[Any, Any]

VIEW_SIDE = 256  # of the maps that views are compared on
VIEW_BYTES = 2 << 30  # of all views of all folds together


def predict(experiment: Experiment, folds: str) -> list[Path]:
    """Make the predictions of the folds that `folds` names; the folders that were written.

    Predictions of the same checkpoint, plan, images and TTA that are there already are kept.
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

    def __init__(
        self,
        experiment: Experiment,
        index: Index,
        test: Index,
        plan: FoldPlan,
        parts: Sequence[str] = ("valid", "test"),
    ) -> None:
        self.parts = parts  # that are predicted
        self.tta = experiment.config.predict.tta
        check_tta(self.tta)
        self.experiment, self.index, self.test, self.plan = experiment, index, test, plan
        self.valid_tta: dict[int, str] = {}  # where it is not that of the test images
        self.packs: dict[str, Pack] = {}
        self.contents: dict[str, str] = {}
        self.device: Device | None = None

    def run(self, folds: list[int]) -> list[Path]:
        """Predict the missing parts of these folds; the folders that were written."""
        runs = self._ready(folds)
        return [path for fold, run in runs.items() for path in self._fold(fold, run)]

    def missing(self, folds: list[int]) -> dict[int, list[Path]]:
        """The folders that `run` would write, by fold; folds without any are left out."""
        missing = {fold: self._missing(fold, run) for fold, run in self._ready(folds).items()}
        runs = self.experiment.workspace.fold
        return {
            k: [self._folders(runs(k))[p] for p in parts] for k, parts in missing.items() if parts
        }

    def _ready(self, folds: list[int]) -> dict[int, RunDir]:
        """The runs of folds that can be predicted, and the views that are made."""
        runs = {fold: self.experiment.workspace.fold(fold) for fold in folds}
        for fold, run in runs.items():
            self._refuse_unfinished(fold, run)
        if self.tta == AUTO:
            choice = self.choose_views()
            self.tta = choice.chosen
            self.valid_tta = {fold: choice.views_for(fold) for fold in folds}
        return runs

    def refitted(self) -> list[Path]:
        """Predict the test images by every refit, where that is missing; all their folders.

        Raises RunError where there is none, or one is not finished or of another plan or images.
        """
        runs = self.experiment.workspace.refits()
        if not runs:
            raise RunError(
                f"ensemble.refit: {self.experiment.workspace.run} has no refit. Run `comp train "
                "--refit` first"
            )
        for run in runs:
            manifest = finished(run, self.plan.fingerprint, which="last")
            refuse_other_images(run, manifest, self.index, self.experiment.workspace.cache)
            if manifest is None:
                raise RunError(
                    f"{run.path} is not trained to its end. Run `comp train --refit` again"
                )
            self._fold(int(manifest["fold"]), run)
        return [run.test for run in runs]

    def _checkpoint(self, run: RunDir) -> Path:
        which = "last" if run.is_refit else self.experiment.config.predict.checkpoint
        return run.checkpoint(which)

    def answers(self, fold: int, part: str, ids: Sequence[str], tta: str | None = None) -> Array:
        """(n, C) float32: the probabilities that one fold gives to images of a part (`valid`: any
        of the training images), kept nowhere.

        tta: None for `predict.tta`; of `auto` the views that the other folds choose. Raises
        RunError where the fold is not finished, or is of another plan.
        """
        run = self.experiment.workspace.fold(fold)
        self._refuse_unfinished(fold, run)
        tta = self.tta if tta is None else tta
        if tta == AUTO:
            tta = self.choose_views().views_for(fold)
        net = self._net(self._checkpoint(run), fold)
        output = make_output(self.experiment.task, self.experiment.config, self._index(part))
        return np.concatenate(
            list(self._pieces(net, part, ids, output, tta, f"fold {fold} {len(ids)} images"))
        )

    def _refuse_unfinished(self, fold: int, run: RunDir) -> None:
        run.refuse_drift(self.experiment.config)
        try:
            if self._finished(run, self.experiment.config.passes):
                return
            problem = f"fold {fold} is not trained to its end. Run `comp train --fold {fold}` first"
        except DamagedError as damage:  # so it looks while it is trained further, too
            problem = f"fold {fold}: {damage}. `comp train --fold {fold}` finds what can be saved"
        held = locks.holder(run.path)
        if held is not None:
            problem = (
                f"fold {fold}: process {held.get('pid', '?')} on {held.get('host', '?')} is at "
                f"work in {run.path} since {held.get('since', '?')}. Wait for it, then run this "
                "again"
            )
        raise RunError(f"{problem}.")

    def _finished(self, run: RunDir, epochs: int = 0) -> bool:
        """Whether a fold is finished; RunError for one that was trained on other images."""
        which = self.experiment.config.predict.checkpoint
        manifest = finished(run, self.plan.fingerprint, epochs, which)
        refuse_other_images(run, manifest, self.index, self.experiment.workspace.cache)
        return manifest is not None

    def _fold(self, fold: int, run: RunDir) -> list[Path]:
        if self._missing(fold, run):
            with locks.writing(run.path):
                missing = self._missing(fold, run)  # again: now nobody else writes
                self._predict(fold, run, missing)
        else:
            missing = {}
        for folder in self._folders(run).values():
            remove_pieces(folder)
        return [self._folders(run)[part] for part in missing]

    def _missing(self, fold: int, run: RunDir) -> dict[str, dict[str, Any]]:
        """The parts that are missing, each with the source that its predictions will have."""
        path = self._checkpoint(run)
        common = {
            "plan": self.plan.fingerprint,
            "fold": fold,
            "checkpoint": path.name,
            "checkpoint_sha256": checksums.digest_file(path),
            **({"refit": fold - self.plan.count} if run.is_refit else {}),
        }
        missing = {}
        for part, folder in self._folders(run).items():
            index = self._index(part)
            wanted = {
                **common,
                "tta": self.valid_tta.get(fold, self.tta) if part == "valid" else self.tta,
                "part": part,
                "ids_sha256": checksums.digest_lines(self._ids(part, fold)),
                "content": index.file_sizes(),
                **make_output(self.experiment.task, self.experiment.config, index).source,
            }
            if saved_source(folder) != wanted or not self._of_these_images(part, folder):
                missing[part] = wanted
        return missing

    def _of_these_images(self, part: str, folder: Path) -> bool:
        """Whether predictions are of what the image files hold now, as far as that is known."""
        then = files.read_json(folder / "manifest.json", PredictionsError).get("images")
        if then is None:
            say(
                f"{folder}: made by an earlier version, which noted the sizes of the images only. "
                "Where one was replaced by another of the same size, remove this folder"
            )
        return then is None or then == self._content(part)

    def _content(self, part: str) -> str:
        """A digest of the content of the image files of a part."""
        if part not in self.contents:
            cache = self.experiment.workspace.cache
            self.contents[part] = self._index(part).contents(cache)
        return self.contents[part]

    def _predict(self, fold: int, run: RunDir, missing: dict[str, dict[str, Any]]) -> None:
        path = self._checkpoint(run)
        for folder in self._folders(run).values():
            files.sweep(folder, alone=True)
        net = self._net(path, fold)
        for part, source in missing.items():
            folder = self._folders(run)[part]
            try:
                self._write(net, part, fold, folder, source)
            except PackError as problem:
                say(f"fold {fold}: {problem}. That is done now; then it goes on")
                self.packs[part] = self._open(part, verify=True)
                self._write(net, part, fold, folder, source)

    def require(self, fold: int) -> None:
        """RunError where a fold is not trained to its end."""
        self._refuse_unfinished(fold, self.experiment.workspace.fold(fold))

    def net(self, fold: int) -> Net | ProbeNet:
        """The network that predicts for a fold."""
        which = self.experiment.config.predict.checkpoint
        return self._net(self.experiment.workspace.fold(fold).checkpoint(which), fold)

    def _net(self, path: Path, fold: int) -> Net | ProbeNet:
        state = checkpoint.load(path)
        if state.get("plan") != self.plan.fingerprint or state.get("fold") != fold:
            raise RunError(
                f"{path}: of fold {state.get('fold')} and plan {str(state.get('plan'))[:8]}, "
                f"wanted fold {fold} of plan {self.plan.fingerprint[:8]}"
            )
        refuse_other_range(path, state.get("range"), span_of(self._image))
        self.device = self.device or device_of(self.experiment.config)
        if self.experiment.config.model.probe is not None:
            return ProbeNet(path, state, self.experiment, self._features, self.device)
        return net_of(state, self.experiment.config, self.experiment.task, self.device)

    def choose_views(self) -> ViewChoice:
        """The views of test-time augmentation that help: from `tta.json`, or measured on every fold
        that is finished and then written there. RunError without a finished fold."""
        runs = [self.experiment.workspace.fold(number) for number in range(self.plan.count)]
        which = self.experiment.config.predict.checkpoint
        done = {n: run for n, run in enumerate(runs) if self._finished(run)}
        checkpoints = {n: run.checkpoint(which) for n, run in done.items()}
        digests = {str(n): checksums.digest_file(path) for n, path in checkpoints.items()}
        basis = {
            "plan": self.plan.fingerprint,
            "checkpoints": digests,
            "images": self._content("valid"),
        }
        file = self.experiment.workspace.run / "tta.json"
        known: dict[str, Any] = {}
        with contextlib.suppress(RunError):  # not there, or torn: then it is measured again
            known = files.read_json(file, RunError)
        if known.get("basis") == basis:
            return read_view_choice(known)
        if not done:
            raise RunError(
                "predict.tta: auto compares views on trained folds, and there are none. Run "
                "`comp train` first"
            )
        choice = self._measure_views(checkpoints)
        files.write_json(file, {"basis": basis, **choice.plain()})
        return choice

    def _measure_views(self, checkpoints: dict[int, Path]) -> ViewChoice:
        """On as many images of each fold as fit into VIEW_BYTES; maps at VIEW_SIDE at the most."""
        side = min(VIEW_SIDE, mask_side(self.experiment.config))
        output = make_output(self.experiment.task, self.experiment.config, self.index, side=side)
        ids = self._sampled(checkpoints, output.row_bytes)
        rows = np.asarray(self.index.rows(name for own in ids.values() for name in own))
        weights = self.experiment.metric.row_weights(self.index.weights)
        probs = []
        for fold, path in checkpoints.items():
            net = self._net(path, fold)
            views = [
                self._pieces(net, "valid", ids[fold], output, view, f"fold {fold} {view}")
                for view in VIEWS
            ]
            probs.append(np.stack([np.concatenate(list(pieces)) for pieces in views]))
        return choose_views(
            VIEWS,
            self.experiment.task,
            self.experiment.metric,
            self._target(rows, side),
            np.concatenate(probs, axis=1),
            self.plan.fold[rows],
            len(self.index.classes),
            None if weights is None else weights[rows],
        )

    def _sampled(self, folds: Iterable[int], row_bytes: int) -> dict[int, tuple[str, ...]]:
        """The validation ids of each fold, evenly thinned out where the memory does not hold all
        of their views."""
        ids = {fold: self.plan.valid(fold) for fold in folds}
        most = max(1, VIEW_BYTES // (len(VIEWS) * row_bytes * len(ids)))
        chosen = {fold: own[:: -(-len(own) // most)] for fold, own in ids.items()}
        count, whole = (sum(map(len, table.values())) for table in (chosen, ids))
        if count < whole:
            say(f"predict.tta auto: {len(VIEWS)} views are compared on {count} of {whole} images")
        return chosen

    def _target(self, rows: Array, side: int) -> Array:
        """(n, ...) the labels of training images, or their masks (n, L, side, side) uint8, of which
        each pixel is the nearest one."""
        if self.index.masks is None:
            return self.index.labels[rows]
        out = []
        for row in rows:
            mask = self.index.masks.read(int(row))
            down, across = (np.linspace(0, n - 1, side).round().astype(int) for n in mask.shape[:2])
            out.append(mask[down][:, across].transpose(2, 0, 1))
        return np.stack(out)

    def _ids(self, part: str, fold: int) -> tuple[str, ...]:
        return self.plan.valid(fold) if part == "valid" else self.test.ids

    def _index(self, part: str) -> Index:
        return self.index if part == "valid" else self.test

    def _write(
        self, net: Net | ProbeNet, part: str, fold: int, folder: Path, source: dict[str, Any]
    ) -> None:
        task, ids = self.experiment.task, self._ids(part, fold)
        about = [f"{name} {value}" for name, value in source.items()] + [self._content(part)]
        kept = Pieces(folder, checksums.digest_lines([str(self._batch_size()), *about]))
        kept.sweep()
        output = make_output(task, self.experiment.config, self._index(part))
        pieces = self._pieces(net, part, ids, output, source["tta"], f"fold {fold} {part}", kept)
        names = task.column_names(self.index.classes)
        save_pieces(folder, ids, pieces, names, task.link.name, source, self._content(part))
        say(f"fold {fold}: {len(ids)} {part} images predicted -> {folder}")

    @cached_property
    def _features(self) -> FeatureSource:
        return FeatureSource(self.experiment, self.index, self.test)

    def _pieces(
        self,
        net: Net | ProbeNet,
        part: str,
        ids: Sequence[str],
        output: Output,
        tta: str,
        name: str,
        kept: Pieces | None = None,
    ) -> Iterator[Array]:
        if isinstance(net, ProbeNet):
            rows = np.asarray(self._index(part).rows(ids))
            return net.pieces("train" if part == "valid" else part, rows, output, tta)
        return predict_pieces(
            net,
            self.experiment.task,
            self.images(part),
            np.asarray(self._index(part).rows(ids)),
            output,
            tta=tta,
            batch_size=self._batch_size(),
            name=name,
            pieces=kept,
        )

    def _batch_size(self) -> int:
        return images_at_once(self.experiment.config)

    def images(self, part: str) -> Images:
        """The packed images of a part."""
        if part not in self.packs:
            sweep_cache(self.experiment.workspace.cache)
            self.packs[part] = self._open(part)
        return self.packs[part].images

    @cached_property
    def _image(self) -> ImageConfig:
        """The image settings, with the range of the training images."""
        return with_range(self.experiment.config.image, self.index, self.experiment.workspace.cache)

    def _open(self, part: str, *, verify: bool = False) -> Pack:
        cache = self.experiment.workspace.cache
        return open_pack(self._index(part), self._image, cache, masks=False, verify=verify)

    def _folders(self, run: RunDir) -> dict[str, Path]:
        folders = {"valid": run.valid, "test": run.test}
        parts = [part for part in self.parts if part == "test" or not run.is_refit]
        return {part: folders[part] for part in parts}


def saved_source(folder: Path) -> dict[str, Any] | None:
    """The source of the predictions in `folder`; None when there are none, or damaged ones."""
    try:
        source = Predictions.load(folder).source
    except PredictionsError:
        return None
    return {name: value for name, value in source.items() if name != "path"}
