"""`comp run`: from a folder of data to a submission in the time that is given.

Every step is what an ordinary command does, and leaves the same files; the command is said before
it begins. What was doubtful on the way is written to `runs/<name>_run/decisions.md`.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comp.config.loading import load_config
from comp.config.schema import Config
from comp.core import files
from comp.core.errors import CheckError, ConfigError, ModelError, OutOfTime, TrainError
from comp.core.progress import say
from comp.scaffold.changed_config import changed_config
from comp.scaffold.guess import SIZES
from comp.stages.check import check
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Ensembled, Request
from comp.stages.experiment import (
    Experiment,
    check_names,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
)
from comp.stages.folds import make_folds
from comp.stages.init import config_path, init
from comp.stages.search.budget import epochs_in, rounds_in, size_for
from comp.stages.search.second import SHARE, probe_settings, wants_probe
from comp.stages.search.trials import lay, measure_speed
from comp.stages.search.tune import MOST_EPOCHS, SEARCH, tune
from comp.stages.train import train
from comp.train.stop import Stop

PRETRAINED_EPOCHS, SCRATCH_EPOCHS = 6, 15  # fewer make a smaller image the better choice
LEAST_SIDE = 48
_TRAINING = 0.92  # of what is left after the first steps; the rest is for the ensemble
_LEAST_ROUND = 20.0  # seconds of the shortest round of a trial, from which a search makes sense
_LEAST_SHARE = 0.15  # of the rows, in the shortest round


@dataclass
class _Journal:
    """What was decided without asking."""

    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        say(text)
        self.lines.append(text)


@dataclass(frozen=True)
class Ran:
    """A finished run: the ensemble, the config that was trained, and the notes."""

    made: Ensembled
    config: Path
    decisions: Path
    partial: bool


def run(
    data_dir: Path,
    hours: float,
    *,
    config: Path | None = None,
    sets: Sequence[str] = (),
    workspace: Path = Path(),
) -> Ran:
    """Look at the data, check, plan, search where there is time for it, train, ensemble, answer.

    hours: from now to the submission. config: an existing config instead of a new one from the
    data; sets: values laid over it. The config that is trained is `<config>_run.yaml`; where it is
    there already, its folds are gone on with and nothing is decided again.
    Raises CheckError where the data have errors, and what the single steps raise.
    """
    clock, journal = _Clock(hours * 3600), _Journal()
    base = config or config_path(workspace / data_dir)
    if config is not None and load_config(workspace / config, sets).stages:
        raise ConfigError(
            f"comp run: {config} has stages, and it plans the time of one run; use `comp train`"
        )
    own = base.with_name(f"{base.stem}_run.yaml")
    if not (workspace / own).is_file():
        _prepare(data_dir, base, own, list(sets), workspace, clock, journal)
    experiment = open_experiment(load_config(workspace / own, sets), workspace)
    decisions = experiment.workspace.run / "decisions.md"
    _write_down(decisions, own.stem, journal)
    probe = None
    if wants_probe(experiment.config):
        largest = load_config(workspace / base, sets).image.size
        probe = _probe(experiment, own, largest, clock, journal)
    partial = _train(experiment, own, clock)
    _say_step(f"comp ensemble -c {_quoted(own)}{' --partial' * partial}")
    made = ensemble(experiment, Request((), (), partial, None, "auto"))
    if probe is not None:
        made = _the_better(experiment, probe, own, made, partial, journal)
    _write_down(decisions, own.stem, journal)
    return Ran(made, own, decisions, partial)


def _probe(
    experiment: Experiment, own: Path, largest: int, clock: _Clock, journal: _Journal
) -> Experiment | None:
    """A finished probe on images of at most `largest` pixels, with the config `<own>_probe.yaml`;
    None where there is no time for it. It comes before the networks: it takes little, and scores
    something if they are not done in time."""
    path = own.with_name(f"{own.stem}_probe.yaml")
    if not (experiment.workspace.root / path).is_file():
        index = read_train(experiment)
        images = len(index) + len(read_test_images(experiment, index.classes))
        seconds, speed = SHARE * clock.seconds, measure_speed(experiment)
        settings = probe_settings(experiment.config, largest, seconds, speed, images)
        if settings is None:
            journal.note("no probe beside the networks: there is no time for its features")
            return None
        _write(experiment, settings, experiment.workspace.root / path)
    probe = open_experiment(
        load_config(experiment.workspace.root / path), experiment.workspace.root
    )
    _say_step(f"comp train -c {_quoted(path)} --fold all")
    try:
        train(probe, "all", stop=Stop(max(2 * SHARE * clock.left, 1.0) / 3600))
    except (OutOfTime, ModelError, TrainError) as problem:
        journal.note(f"no probe beside the networks: {str(problem).splitlines()[0]}")
        return None
    return probe


def _the_better(
    experiment: Experiment,
    probe: Experiment,
    own: Path,
    alone: Ensembled,
    partial: bool,
    journal: _Journal,
) -> Ensembled:
    """The ensemble of networks and probe where its honest score is better, else that of the
    networks, `alone`."""
    names = (experiment.name, probe.name)
    _say_step(f"comp ensemble -c {_quoted(own)} {' '.join(names)}{' --partial' * partial}")
    made = ensemble(experiment, Request(names, (), partial, None, "auto"))
    ours, theirs = (one.blend.scores.honest for one in (alone, made))
    taken = made if experiment.metric.better(theirs, ours) else alone
    journal.note(
        f"with a probe on {probe.config.image.size} px beside the networks: {made.metric} "
        f"{theirs:.4f} (honest), without {ours:.4f}; the submission is {taken.path}. The better "
        "of two scores is a little too high"
    )
    return taken


def _prepare(
    data_dir: Path,
    base: Path,
    own: Path,
    sets: list[str],
    workspace: Path,
    clock: _Clock,
    journal: _Journal,
) -> None:
    """From the data to the config that is trained."""
    if not (workspace / base).is_file():
        _say_step(f"comp init {_quoted(data_dir)} --out {_quoted(base)}")
        made = init(data_dir, base, replace=False, workspace=workspace)
        for line in made.text.splitlines():
            if "# ?" in line:
                journal.note(f"guessed: {' '.join(line.split())}")
        for problem in made.problems:
            journal.note(f"the config cannot be used yet: {problem}")
    experiment = open_experiment(load_config(workspace / base, sets), workspace)
    check_names(experiment)
    _check(experiment, base, journal)
    _say_step(f"comp folds make -c {_quoted(base)}")
    plan, _, _ = make_folds(experiment, replace=False)
    for warning in plan.warnings:
        journal.note(f"plan: {warning}")
    settings = _fit(experiment, clock, journal)
    laid = lay(experiment, settings, experiment.workspace.name)
    if _worth_searching(laid, clock, journal):
        hours = clock.left * _training(laid.config) / 3600
        _say_step(f"comp tune -c {_quoted(base)} --hours {hours:.2f} --out {_quoted(own)}")
        try:
            found = tune(laid, hours, workspace / own)
        except TrainError as problem:
            journal.note(str(problem))
        else:
            journal.note(f"comp tune: {found.settings}; see {found.table}")
            return
    _write(experiment, settings, workspace / own)


def _check(experiment: Experiment, base: Path, journal: _Journal) -> None:
    _say_step(f"comp check -c {_quoted(base)} --accept-groups --bad skip --allow-extra-images")
    found = check(experiment, accept_groups=True, skip=True, allow_extra_images=True)
    for finding in found.findings:
        if finding.level != "note":
            journal.note(f"check: {finding.level}: {finding.text}")
    if found.bad:
        raise CheckError(
            f"{experiment.name}: the data have errors, listed above. Fix the files or {base}, then "
            "give the same command"
        )


def _fit(experiment: Experiment, clock: _Clock, journal: _Journal) -> dict[str, Any]:
    """Settings that fit the time: pretrained weights where they can be had, image size, epochs."""
    settings: dict[str, Any] = {}
    name = experiment.workspace.name
    try:
        speed = measure_speed(lay(experiment, settings, name))
    except ModelError as problem:
        if not experiment.config.model.pretrained:
            raise
        journal.note(f"{str(problem).splitlines()[0]} Training from scratch")
        settings["model.pretrained"] = False
        speed = measure_speed(lay(experiment, settings, name))
    config, rows, seconds = experiment.config, _rows(experiment), _fold_seconds(experiment, clock)
    started = config.model.weights or (config.model.pretrained and not settings)
    wanted = PRETRAINED_EPOCHS if started else SCRATCH_EPOCHS
    sizes = (*(s for s in SIZES if LEAST_SIDE <= s < config.image.size), config.image.size)
    size = size_for(sizes, seconds, speed, rows, wanted)
    if size != config.image.size:
        settings["image.size"] = size
        speed = measure_speed(lay(experiment, settings, name))
        journal.note(
            f"image.size: {size} instead of {config.image.size}, so that {wanted} epochs fit"
        )
    epochs = min(MOST_EPOCHS, epochs_in(seconds, speed, rows))
    settings["train.epochs"] = epochs
    journal.note(
        f"train.epochs: {epochs}; {speed.train:.0f} training images/s, {seconds:.0f} s a fold"
    )
    return settings


def _rows(experiment: Experiment) -> tuple[int, int]:
    plan = read_plan(experiment, read_train(experiment))
    return len(plan.train(0)), len(plan.valid(0))


def _fold_seconds(experiment: Experiment, clock: _Clock) -> float:
    return clock.left * _training(experiment.config) / experiment.config.folds.parts


def _training(config: Config) -> float:
    """The share of the time that is left that training may take."""
    return _TRAINING - SHARE * wants_probe(config)


def _worth_searching(laid: Experiment, clock: _Clock, journal: _Journal) -> bool:
    """Whether the shortest round of a trial would tell anything."""
    import importlib.util

    if importlib.util.find_spec("optuna") is None:
        journal.note("no search: Optuna is not installed (pip install optuna)")
        return False
    speed, rows = measure_speed(laid), _rows(laid)
    fold = (1 - SEARCH) * _fold_seconds(laid, clock)
    first = rounds_in(fold, speed, rows)[0]
    long = first.share * first.epochs * speed.epoch(rows)
    if long >= _LEAST_ROUND and first.share >= _LEAST_SHARE and first.epochs > 1:
        return True
    journal.note(
        f"no search: its shortest trials would have {first.epochs} epochs on {first.share:.0%} of "
        f"the images, {long:.0f} s; that says too little"
    )
    return False


def _write(experiment: Experiment, settings: dict[str, Any], path: Path) -> None:
    before = {key: _value(experiment.config, key) for key in settings}
    config = lay(experiment, {**settings, "name": path.stem}, path.stem).config
    header = [
        f"{path.stem}: written by `comp run` on the plan of {experiment.name}.",
        f"  comp train -c {path} --fold all",
        f"  comp ensemble -c {path}",
    ]
    files.write_text(path, changed_config(config, before, header))


def _value(config: Config, path: str) -> Any:
    value: Any = config
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _train(experiment: Experiment, own: Path, clock: _Clock) -> bool:
    """Train all folds in the time that is left; whether some are not finished."""
    hours = max(clock.left * _training(experiment.config), 1.0) / 3600
    _say_step(f"comp train -c {_quoted(own)} --fold all --max-hours {hours:.2f}")
    try:
        train(experiment, "all", stop=Stop(hours))
    except OutOfTime as problem:
        done = [
            number
            for number in range(experiment.config.folds.parts)
            if experiment.workspace.fold(number).done.is_file()
        ]
        if not done:
            raise
        say(f"{problem}. The submission is of the folds that are finished: {done}")
        return True
    return False


@dataclass
class _Clock:
    """Seconds since the start, and left."""

    seconds: float
    begin: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.begin)


def _write_down(path: Path, title: str, journal: _Journal) -> None:
    """Add what is new in the journal to the file of decisions."""
    before = path.read_text("utf-8").splitlines() if path.is_file() else [f"# {title}", ""]
    new = [line for line in (f"- {text}" for text in journal.lines) if line not in before]
    if new:
        files.write_text(path, "\n".join([*before, *new, ""]))


def _say_step(command: str) -> None:
    say(f"$ {command}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
