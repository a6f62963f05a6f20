"""`comp tune`: spend some time on finding a better config for this data.

Optuna draws settings (TPE; Bergstra et al. 2011) and ends trials early by successive halving
(Li et al. 2018): each trial is trained in rounds that are a ninth, a third and the whole of the
time of a fold, and goes on while it is among the best third of its round. Settings that make an
epoch faster get more epochs, so that all are compared at the same time.

What wins is then compared with the given config on several folds. A difference that is within the
spread of these folds is no win.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files, locks
from comp.core.checksums import digest_text
from comp.core.errors import OutOfTime, RunError, TrainError
from comp.core.progress import say
from comp.core.rng import derive
from comp.data.index.index import Index
from comp.scaffold.changed_config import changed_config
from comp.stages.experiment import Experiment, check_names, read_plan, read_train
from comp.stages.search.budget import (
    VERIFIED,
    Round,
    Speed,
    epochs_in,
    fold_seconds,
    rounds_in,
)
from comp.stages.search.space import Space, given, space_of
from comp.stages.search.sweep import draw, need_optuna, open_study
from comp.stages.search.trials import Outcome, kept_trial, lay, measure_speed, run_trial
from comp.tasks.metrics import METRICS, Metric
from comp.train.stop import Stop

SEARCH = 0.35  # of the time; the rest is for the folds of the winner and of the comparison
FEW = 30  # of the rarest class in a validation part: a score of decisions says little below it
MOST_EPOCHS = 60


@dataclass(frozen=True)
class Tried:
    """One trial: its settings, how many rounds it came through, its last score and its loss."""

    settings: dict[str, Any]
    rounds: int
    score: float
    loss: float
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The given config and the best one found on the same folds.

    `given`, `found`  the scores of each fold
    `better`          whether the mean difference is more than its spread over the folds
    """

    given: tuple[float, ...]
    found: tuple[float, ...]
    better: bool

    @property
    def gain(self) -> float:
        """The mean difference of the scores, found minus given."""
        return float(np.mean(np.subtract(self.found, self.given)))

    @property
    def spread(self) -> float:
        """The standard deviation of the difference over the folds."""
        return float(np.std(np.subtract(self.found, self.given), ddof=1))


@dataclass(frozen=True)
class Tuned:
    """A finished search.

    `tried`     the trials, best first, and the metric that they were ranked by
    `verdict`   None where no trial came to its end in time
    `settings`  what the written config changes of the given one
    `config`    the written config; `table` the trials as CSV
    `seconds`   what five folds of it take, or as many as the plan has
    """

    metric: str
    tried: tuple[Tried, ...]
    verdict: Verdict | None
    settings: dict[str, Any]
    config: Path
    table: Path
    seconds: float


def tune(
    experiment: Experiment,
    hours: float,
    out: Path,
    models: tuple[str, ...] = (),
    trials: int | None = None,
) -> Tuned:
    """Search for better settings for `hours`, less what all folds of the winner will take.

    out: the config that is written; its experiment is called like the file. Folds that were trained
    for the comparison are kept as folds of it. models: other networks that may be tried. trials: no
    more than so many.
    What was tried is in `runs/<name>/tune/`: the same call goes on from there, with the whole of
    its time again.
    Raises ConfigError without Optuna, and what `comp.stages.train.train` raises before training and
    for an interrupt; TrainError where the time is not enough for one trial.
    """
    check_names(experiment)
    index = read_train(experiment)
    read_plan(experiment, index)
    folder = experiment.workspace.run / "tune"
    folder.mkdir(parents=True, exist_ok=True)
    with locks.writing(folder):
        search = _Search(experiment, index, hours * 3600, models)
        search.run(trials)
        return search.conclude(out)


class _Search:
    """A search in progress."""

    def __init__(
        self, experiment: Experiment, index: Index, seconds: float, models: tuple[str, ...]
    ) -> None:
        self.experiment, self.index = experiment, index
        self.begin, self.seconds = time.monotonic(), seconds
        self.folder = experiment.workspace.run / "tune"
        self.space: Space = space_of(experiment, index, models)
        self.given = given(experiment, self.space)
        plan = read_plan(experiment, index)
        self.rows = len(plan.train(0)), len(plan.valid(0))
        self.parts = plan.count
        self.metric = ranking(experiment, index, self.rows[1])
        self.speeds = _Speeds(self.folder / "speeds.json")
        self.speed = self.speeds.of(self._laid({}, "speed"))
        compared = min(VERIFIED, self.parts)
        self.fold_time = (1 - SEARCH) * seconds / (self.parts + compared)
        self.compared = compared
        say(
            f"{self.speed.train:.0f} training images/s: {self.parts} folds and the comparison "
            f"leave {self.fold_time:.0f} s a fold, {self.epochs({})} epochs of the given config"
        )

    def epochs(self, settings: dict[str, Any]) -> int:
        """How many epochs a fold of these settings gets."""
        speed = self.speed if not settings else self.speeds.of(self._laid(settings, "speed"))
        return min(MOST_EPOCHS, epochs_in(self.fold_time, speed, self.rows))

    def run(self, most: int | None) -> None:
        """Trials until their share of the time is over, or there are `most`."""
        optuna = need_optuna()
        self.study = open_study(
            self.folder / "study.optuna",
            "tune",
            rising=self.metric.greater_is_better,
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        )
        if not self.study.trials:
            self.study.enqueue_trial(self.given)
        stop = Stop(SEARCH * self.seconds / 3600)
        while not stop.requested and (most is None or len(self.tried()) < most):
            number = len(self.study.trials)
            seed = derive(self.experiment.config.seed, "tune", number) % 2**32
            self.study.sampler = optuna.samplers.TPESampler(seed=seed)
            trial = self.study.ask()
            try:
                self._try(trial, draw(trial, self.space), stop)
            except OutOfTime:
                trial.set_user_attr("note", "out of time")
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
                break

    def _try(self, trial: Any, settings: dict[str, Any], stop: Stop) -> None:
        """Train one trial through its rounds."""
        import optuna

        speed = self.speeds.of(self._laid(settings, "speed"))
        problem, score = "", math.nan
        for number, part in enumerate(rounds_in(self.fold_time, speed, self.rows)):
            outcome = self._round(settings, part, stop)
            problem = outcome.failed
            if not problem and not math.isfinite(outcome.scores[0]):
                problem = f"{self.metric.name} is not defined"
            if problem:
                trial.set_user_attr("note", problem)
                break
            score = outcome.scores[0]
            trial.report(score, 3**number)
            trial.set_user_attr("rounds", number + 1)
            trial.set_user_attr("loss", outcome.losses[0])
            trial.set_user_attr("score", score)
            if trial.should_prune():
                break
        state = optuna.trial.TrialState
        failed = math.isnan(score)
        self.study.tell(
            trial, None if failed else score, state=state.FAIL if failed else state.COMPLETE
        )
        shown = problem or f"{self.metric.name} {score:.4f}"
        shown += f"  {_changes(settings, self.given)}"
        rounds = trial.user_attrs.get("rounds", 0)
        say(f"trial {trial.number + 1}, {rounds} of 3 rounds: {shown}")

    def _round(self, settings: dict[str, Any], part: Round, stop: Stop) -> Outcome:
        rows = max(2 * self.parts, round(part.share * len(self.index)))
        own = {
            **settings,
            "metric": self.metric.name,
            "train.epochs": min(MOST_EPOCHS, part.epochs),
            **({"train.subset": rows} if rows < len(self.index) else {}),
        }
        return kept_trial(self._laid(own, "trial"), stop)

    def _laid(self, settings: dict[str, Any], what: str) -> Experiment:
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        folder = f"{self.experiment.workspace.name}/tune/{what}_{digest_text(text)[:12]}"
        return lay(self.experiment, settings, folder)

    def tried(self) -> list[Tried]:
        """The trials, those that came furthest first, and of these the best."""
        up = 1 if self.metric.greater_is_better else -1
        found = [
            Tried(
                dict(trial.params),
                int(trial.user_attrs.get("rounds", 0)),
                float(trial.user_attrs.get("score", math.nan)),
                float(trial.user_attrs.get("loss", math.nan)),
                str(trial.user_attrs.get("note", "")),
            )
            for trial in self.study.trials
            if trial.value is not None or trial.user_attrs.get("note")  # not those that died
        ]
        return sorted(found, key=lambda one: (-one.rounds, -up * one.score if one.rounds else 0))

    def conclude(self, out: Path) -> Tuned:
        """Compare the best trial with the given config, and write the one that is kept."""
        tried = self.tried()
        if not any(one.rounds for one in tried):
            raise TrainError(
                f"comp tune: no trial ended within {SEARCH * self.seconds / 60:.0f} minutes. Give "
                "more --hours, or a smaller image.size or model.name"
            )
        best = next(one for one in tried if one.rounds).settings
        changed = {key: value for key, value in best.items() if value != self.given[key]}
        verdict, kept = None, "given"
        if changed:
            verdict = self._compare(changed)
            kept = "found" if verdict.better else "given"
        settings = changed if kept == "found" else {}
        epochs = self.epochs(settings)
        speed = self.speeds.of(self._laid(settings, "speed"))
        written = {**settings, "train.epochs": epochs}
        self._write(out, written, verdict, kept)
        table = self.folder / "trials.csv"
        files.write_text(table, trials_csv(tried, self.metric.name, list(self.space)))
        seconds = self.parts * fold_seconds(epochs, speed, self.rows)
        return Tuned(self.metric.name, tuple(tried), verdict, written, out, table, seconds)

    def _compare(self, changed: dict[str, Any]) -> Verdict:
        """Both configs on the same folds, each for the same time."""
        folds = f"0..{self.compared - 1}"
        scores = []
        for what, settings in (("given", {}), ("found", changed)):
            own = {**settings, "train.epochs": self.epochs(settings)}
            say(f"comparing: folds {folds} of the {what} config, {own['train.epochs']} epochs")
            laid = lay(self.experiment, own, f"{self.experiment.workspace.name}/tune/{what}")
            outcome = run_trial(laid, folds)
            if outcome.failed:
                raise TrainError(f"comp tune: the {what} config: {outcome.failed}")
            scores.append(outcome.scores)
        return verdict_of(scores[0], scores[1], self.experiment.metric)

    def _write(
        self, out: Path, settings: dict[str, Any], verdict: Verdict | None, kept: str
    ) -> None:
        """Write the config; folds that were compared become folds of its run."""
        plan = self.experiment.config.folds.plan or self.experiment.config.name
        config = lay(self.experiment, {**settings, "name": out.stem}, out.stem).config
        before = {key: value for key, value in self.given.items() if key in settings}
        before["train.epochs"] = self.experiment.config.train.epochs
        files.write_text(out, changed_config(config, before, _header(out, verdict, plan)))
        folds = self.folder / kept
        home = self.experiment.workspace.root / "runs" / out.stem
        if folds.is_dir() and not home.exists():
            folds.rename(home)


def ranking(experiment: Experiment, index: Index, valid: int) -> Metric:
    """The metric that trials are ranked by: that of the competition, unless it scores decisions and
    the validation part has too few of the rarest class for that; then ROC AUC."""
    metric = experiment.metric
    if metric.wants != "labels" or experiment.task.spatial:
        return metric
    rarest = index.cells.mean(axis=0)
    if index.labels.ndim == 2 or len(index.classes) == 2:
        rarest = np.minimum(rarest, 1 - rarest)
    few = float(rarest.min()) * valid
    if few >= FEW or (len(index.classes) > 2 and index.labels.ndim == 1):
        return metric
    say(f"the rarest class has {few:.0f} images in a validation part: trials are ranked by roc_auc")
    return METRICS["roc_auc"]


def verdict_of(given: tuple[float, ...], found: tuple[float, ...], metric: Metric) -> Verdict:
    """Whether the scores `found` beat those `given` on the same folds by more than the spread of
    the difference. With one fold there is no spread, and no win."""
    difference = np.subtract(found, given) * (1 if metric.greater_is_better else -1)
    if len(difference) < 2:
        return Verdict(given, found, False)
    return Verdict(given, found, bool(difference.mean() > difference.std(ddof=1)))


def trials_csv(tried: list[Tried], metric: str, keys: list[str]) -> str:
    """The trials as CSV: rounds, score, loss, settings, note."""
    import csv
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["rounds", metric, "valid_loss", *keys, "note"])
    for one in tried:
        cells = [one.settings.get(key, "") for key in keys]
        writer.writerow([one.rounds, one.score, one.loss, *cells, one.note])
    return out.getvalue()


def _changes(settings: dict[str, Any], given: dict[str, Any]) -> str:
    changed = [
        f"{key.split('.')[-1]}={value:.2g}"
        if isinstance(value, float)
        else f"{key.split('.')[-1]}={value}"
        for key, value in settings.items()
        if value != given[key]
    ]
    return ", ".join(changed) or "the given config"


def _header(out: Path, verdict: Verdict | None, plan: str) -> list[str]:
    lines = [f"{out.stem}: written by `comp tune` on the plan of {plan}."]
    if verdict is None:
        lines.append("No trial was better than the given config; the epochs fit the time.")
    else:
        scores = " against ".join(
            ", ".join(f"{score:.4f}" for score in part) for part in (verdict.found, verdict.given)
        )
        said = (
            "More than the spread of the folds."
            if verdict.better
            else "Within the spread of the folds, which is no win: the given settings are kept."
        )
        lines.append(f"Best trial against the given config, fold by fold: {scores}. {said}")
    return [*lines, f"  comp train -c {out} --fold all", f"  comp ensemble -c {out}"]


class _Speeds:
    """Measured speeds, kept in a file: of each network and image size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, list[float]] = {}
        if path.is_file():
            try:
                self.known = files.read_json(path, RunError)
            except RunError:  # torn: measured again
                self.known = {}

    def of(
        self, experiment: Experiment, measure: Callable[[Experiment], Speed] | None = None
    ) -> Speed:
        """The speed of an experiment's network at its image size."""
        config = experiment.config
        key = " ".join(
            map(
                str,
                (
                    config.model.name,
                    config.model.encoder,
                    config.image.size,
                    config.train.batch_size,
                    config.augment.recipe,
                ),
            )
        )
        if key not in self.known:
            found = (measure or measure_speed)(experiment)
            self.known[key] = [found.train, found.valid, found.start]
            files.write_json(self.path, self.known)
        return Speed(*self.known[key])
