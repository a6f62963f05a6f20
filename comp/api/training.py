"""`train`, `pseudo`, `predict`, `read_predictions`: from a plan to probabilities."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from comp.api.steady import ConfigLike, open_experiment, steady
from comp.core.errors import PredictionsError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from comp.inference.predictions import Predictions
    from comp.stages.experiment import Experiment
    from comp.stages.train import Trained

Folds = Literal["all"] | str | int | Iterable[int]


@dataclass(frozen=True)
class TrainResult:
    """TrainResult folds.

    `folds`    one row per fold: best_epoch (counted from 1), its score on the validation part (a
               column called like the metric) and valid_loss, epochs that were trained, skipped
               (it was finished before), folder
    `history`  one row per fold and epoch: fold, epoch (counted from 1), lr, train_loss, valid_loss,
               the metric, and more; history.csv, which counts epochs from 0
    `metric`   what the score is
    """

    folds: pd.DataFrame
    history: pd.DataFrame
    metric: str


def train(
    config: ConfigLike,
    workspace: str | Path,
    folds: Folds = "all",
    *,
    restart: bool = False,
    max_hours: float | None = None,
    refit: int = 0,
    devices: str | None = None,
    together: bool = False,
    on: str | None = None,
    ask: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> TrainResult:
    """Train folds; finished ones are skipped, unfinished ones go on from their checkpoint.

    folds: a number, several, or text such as "0..2"; restart: remove what these folds have;
    max_hours: stop on a checkpoint after so long. refit: instead of folds, train so many networks
    on all images, for the mean of the folds' best epochs; they have no score.
    devices: a process per device, such as "0,1" or "auto"; together: one fold on all of them. on:
    "ray" or "slurm"; ask: what the cluster is asked for.
    An interrupt writes a checkpoint and raises KeyboardInterrupt. Raises PlanError without a plan,
    RunError when a fold was begun with another config, plan or data, HeldError when another process
    trains it, OutOfTime after `max_hours`, TrainError and ModelError.
    """
    with steady(quiet, network=True):
        from comp.stages.reporting.report import report_training
        from comp.stages.runners.table import train_on
        from comp.stages.runners.where import where_of
        from comp.train.stop import Stop

        experiment, numbers = open_experiment(config, workspace), _folds_text(folds)
        hours = max_hours if max_hours is not None else experiment.config.train.max_hours
        again = "the same call without restart" if restart else "the same call"
        stop = Stop(hours, again, at_once=_interrupt)
        called = f"comp.train(config, workspace, {numbers!r}{', restart=True' * restart})"
        where = where_of(devices, together=together, on=on, ask=ask or {})
        if refit and where.on != "local":
            raise UsageError("refit trains in this process; leave devices and on out")
        if refit:
            from comp.stages.extras.refit import refit as all_rows

            called = f"comp.train(config, workspace, refit={refit}{', restart=True' * restart})"
            done = all_rows(experiment, refit, restart=restart, stop=stop, command=called)
        else:
            done = train_on(where, experiment, numbers, restart=restart, stop=stop, command=called)
        if not all(fold.before for fold in done):
            report_training(experiment)
        return _finished(experiment, done)


@dataclass(frozen=True)
class PseudoResult:
    """Pseudo-labels that were written.

    `path`   the folder; its name is what `train.pseudo.name` takes
    `folds`  one row per fold: images, kept, confidence (mean of those kept; NaN for numbers),
             copies (of validation images, which stay out), and a column per class with its images
    """

    path: Path
    folds: pd.DataFrame


def pseudo(
    config: ConfigLike,
    workspace: str | Path,
    runs: str | Iterable[str] = (),
    *,
    name: str | None = None,
    images: str | Path | None = None,
    labels: Literal["soft", "hard"] = "soft",
    above: float | None = None,
    keep: float | None = None,
    replace: bool = False,
    quiet: bool = False,
) -> PseudoResult:
    """Answer images without labels by the finished folds of `runs`, for `train.pseudo`.

    runs: names; by default the run of the config. images: a folder; None: the test images. labels:
    probabilities, or the class that they mean; above: the least confidence, in [0, 1); keep: the
    share of images that is kept. Fold k gets the answers of fold k only, without copies of its
    validation images.
    Raises RunError for runs that are not finished or have another plan, UsageError where the name
    is taken, ConfigError for tasks with masks.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.extras.pseudo import make_pseudo
        from comp.stages.extras.pseudo_files import make_choice

        choice, experiment = make_choice(labels, above, keep), open_experiment(config, workspace)
        teachers = [runs] if isinstance(runs, str) else [*runs] or [experiment.name]
        folder = None if images is None else Path(images)
        made = make_pseudo(
            experiment,
            teachers,
            name or teachers[0],
            images=folder,
            choice=choice,
            replace=replace,
        )
        columns = ("fold", "images", "kept", "confidence", "copies")
        rows = [
            {n: getattr(fold, n) for n in columns}
            | dict(zip(made.classes, fold.classes, strict=True))
            for fold in made.folds
        ]
        return PseudoResult(made.path, pd.DataFrame(rows).set_index("fold"))


def _finished(experiment: Experiment, done: Sequence[Trained]) -> TrainResult:
    import pandas as pd

    metric, rows, tables = experiment.metric.name, [], []
    for fold in done:
        best, folder = fold.manifest["best"], experiment.workspace.fold(fold.fold)
        if fold.manifest.get("validated") is False:
            folder = experiment.workspace.refit(fold.fold - experiment.config.folds.parts)
        rows.append(
            {
                "fold": fold.fold,
                "best_epoch": int(best.get("epoch", fold.manifest["epochs"] - 1)) + 1,
                metric: best.get(metric),
                "valid_loss": best.get("valid_loss"),
                "epochs": fold.manifest["epochs"],
                "skipped": fold.before,
                "folder": folder.path,
            }
        )
        table = pd.read_csv(folder.history)
        table["epoch"] += 1
        table.insert(0, "fold", fold.fold)
        tables.append(table)
    history = pd.concat(tables, ignore_index=True)
    return TrainResult(pd.DataFrame(rows).set_index("fold"), history, metric)


def _interrupt(number: int) -> None:
    """What a second signal does: leave at once, as Python does, never `os._exit` of a kernel."""
    raise KeyboardInterrupt(f"{signal.Signals(number).name}: left at once")


def _folds_text(folds: Folds) -> str:
    """The folds as the stages take them, `0,2`; UsageError for what is no fold, and for none."""
    if isinstance(folds, str):
        return folds
    numbers = list(folds) if isinstance(folds, Iterable) else [folds]
    wrong = [n for n in numbers if isinstance(n, bool) or not isinstance(n, SupportsIndex)]
    if wrong or not numbers:
        raise UsageError(
            f"folds={folds!r}: give a number, several, or text such as '0..2' or 'all'"
        )
    return ",".join(str(int(number)) for number in numbers)


@dataclass(frozen=True)
class FoldProbabilities:
    """The probabilities of one fold's model for some images.

    `ids`      N texts
    `probs`    (N, C) float32 in [0, 1] (binary: C = 1, of the second class); for segmentation
               (N, C, H, W) uint8, 255ths, mapped from the file, which stays open and cannot be
               written to
    `classes`  the names of the columns (binary: of both classes)
    `source`   where they came from: plan fingerprint, fold, checkpoint digest, TTA, ...
    `frame`    the same as a frame: ids as index, classes as columns; UsageError for segmentation
    """

    ids: tuple[str, ...]
    probs: np.ndarray[Any, Any]
    classes: tuple[str, ...]
    source: dict[str, Any]

    @property
    def frame(self) -> pd.DataFrame:
        """Ids as index, classes as columns; UsageError for segmentation."""
        import pandas as pd

        if self.probs.ndim > 2:
            raise UsageError("probabilities of pixels have no table; use `probs`")
        columns = list(self.classes[-self.probs.shape[1] :])
        index = pd.Index(self.ids, name="id", dtype=object)
        return pd.DataFrame(self.probs, index=index, columns=columns)


@dataclass(frozen=True)
class PredictResult:
    """The predictions of trained folds.

    `valid`      fold -> FoldProbabilities of its validation part
    `test`       fold -> FoldProbabilities of the test images
    `folder`     runs/<name>/, where they are kept
    `oof`        out-of-fold probabilities, each image by the model that did not see it: a frame
                 with ids as index, classes as columns
    `test_mean`  the mean of the folds' probabilities of the test images, likewise
    """

    valid: dict[int, FoldProbabilities]
    test: dict[int, FoldProbabilities]
    folder: Path

    @property
    def oof(self) -> pd.DataFrame:
        """Out-of-fold probabilities: each image by the model that did not see it. Ids as index,
        classes as columns, sorted by id; UsageError for segmentation."""
        import pandas as pd

        return pd.concat([part.frame for part in self.valid.values()]).sort_index()

    @property
    def test_mean(self) -> pd.DataFrame:
        """The mean of the folds' probabilities of the test images; UsageError for segmentation."""
        import pandas as pd

        parts = pd.concat([part.frame for part in self.test.values()])
        return parts.groupby(level="id", sort=True).mean()


def predict(
    config: ConfigLike,
    workspace: str | Path,
    folds: Folds = "all",
    *,
    devices: str | None = None,
    on: str | None = None,
    ask: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> PredictResult:
    """Predict the validation part and the test images of trained folds, where that is missing.

    devices, on, ask: who predicts, as in `train`.
    Raises RunError for a fold that is not finished, DataError, PredictionsError.
    """
    with steady(quiet, network=True):
        from comp.stages.experiment import parse_folds
        from comp.stages.predict import open_predictor
        from comp.stages.runners.parts import predict_on
        from comp.stages.runners.where import where_of

        where, experiment = (
            where_of(devices, on=on, ask=ask or {}),
            open_experiment(config, workspace),
        )
        predictor = open_predictor(experiment)
        predict_on(where, predictor, parse_folds(_folds_text(folds), predictor.plan.count))
        return _read(experiment, folds)


def read_predictions(
    config: ConfigLike, workspace: str | Path, folds: Folds = "all", *, quiet: bool = False
) -> PredictResult:
    """The predictions that are on the disk, without making any.

    Raises PredictionsError where one is missing or damaged.
    """
    with steady(quiet):
        return _read(open_experiment(config, workspace), folds)


def _read(experiment: Experiment, folds: Folds) -> PredictResult:
    from comp.inference.predictions import Predictions
    from comp.stages.experiment import parse_folds

    numbers = parse_folds(_folds_text(folds), experiment.config.folds.parts)
    runs = {number: experiment.workspace.fold(number) for number in numbers}
    for run in runs.values():
        if not run.valid.is_dir() or not run.test.is_dir():
            raise PredictionsError(f"{run.path}: not predicted yet; call comp.predict first")
    return PredictResult(
        {number: _given(Predictions.load(run.valid)) for number, run in runs.items()},
        {number: _given(Predictions.load(run.test)) for number, run in runs.items()},
        experiment.workspace.run,
    )


def _given(found: Predictions) -> FoldProbabilities:
    """Tables in memory: a fold's file is closed, and its rows may be changed."""
    import numpy as np

    probs = np.array(found.probs) if found.probs.ndim == 2 else found.probs
    return FoldProbabilities(found.ids, probs, found.classes, found.source)
