"""`comp sweep`: the same fold under many settings, each a run of its own, and a table at the end.

A run's name follows from its settings, so that a stopped sweep can be resumed: a finished run is
not trained again, and a run that was added to the file is trained in addition.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from comp.config.loading import load_config, plain
from comp.config.messages import explain
from comp.config.plain_yaml import parse_yaml
from comp.config.schema import Config
from comp.config.values import Section
from comp.core import files
from comp.core.checksums import digest_text
from comp.core.errors import CompError, ConfigError, ModelError, TrainError, UsageError, unreadable
from comp.core.progress import say
from comp.core.rng import derive
from comp.core.terminal import advise_for
from comp.stages.experiment import check_names, open_experiment
from comp.stages.runners.table import is_here, shared_out
from comp.stages.runners.where import Where
from comp.stages.train import train

HERE = Where()


def _values(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Values = Annotated[tuple[Any, ...], BeforeValidator(_values), Field(min_length=1)]


class Span(Section):
    """Where Optuna may look for a number: between `low` and `high`, by ratios when `log`."""

    low: float | int
    high: float | int
    log: bool = False


class Search(Section):
    """An Optuna search: how many runs, over which values (a list) or numbers (a Span)."""

    trials: Annotated[int, Field(ge=1)]
    space: dict[str, Span | Values]


class SweepFile(Section):
    """What a sweep file says. Exactly one of `grid`, `runs` and `search` is set.

    `grid`    key path -> values; every combination is a run
    `runs`    a list of {key path: value}; each is a run
    `search`  Optuna chooses (needs the package optuna)
    """

    config: str | None = None
    fold: Annotated[int, Field(ge=0)] = 0
    subset: Annotated[int, Field(ge=4)] | None = None
    grid: dict[str, Values] | None = None
    runs: Annotated[tuple[dict[str, Any], ...] | None, BeforeValidator(_values)] = None
    search: Search | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> SweepFile:
        if sum(part is not None for part in (self.grid, self.runs, self.search)) != 1:
            raise ValueError("exactly one of grid, runs and search is needed")
        return self


@dataclass(frozen=True)
class SweepRun:
    """One run: its settings, its name, and its score and validation loss (None: it failed)."""

    settings: dict[str, Any]
    name: str
    score: float | None
    loss: float | None
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: its runs, best first, and the table that was written."""

    metric: str
    runs: tuple[SweepRun, ...]
    table: Path


@dataclass(frozen=True)
class Setup:
    """What the runs of a sweep share: its file, what that says, the config that settings are laid
    over, the values of `--set`, and the workspace folder."""

    path: Path
    spec: SweepFile
    base: Config
    sets: tuple[str, ...]
    root: Path


def read_sweep(path: Path) -> SweepFile:
    """The sweep in a YAML file; ConfigError for what it cannot hold."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: {unreadable(problem)}") from problem
    try:
        return SweepFile.model_validate(tree)
    except ValidationError as problem:
        allowed = f"a sweep file has the keys {', '.join(SweepFile.model_fields)}"
        lines = explain(problem, SweepFile)
        raise ConfigError("\n".join([f"{path}: {allowed}:", *lines])) from None


def sweep(path: Path, sets: list[str], root: Path = Path(), *, where: Where = HERE) -> Sweep:
    """Train every run of the sweep file `path`; the finished ones are only read.

    `sets` are laid over the config of every run; `root` is the workspace folder, in which `config`
    of the file is looked for and runs are kept; `where` says what trains them. A run that fails on
    its own settings is noted and the sweep continues. Raises ConfigError for a file or settings
    that cannot be right, before any training, UsageError for a search that is to run elsewhere.
    """
    spec = read_sweep(path)
    base_path = root / spec.config if spec.config else None
    advise_for(base_path, sets)
    base = load_config(base_path, sets)
    setup = Setup(path, spec, base, tuple(sets), root)
    if spec.fold >= base.folds.parts:
        raise UsageError(f"{path}: fold {spec.fold}; the plan has folds 0..{base.folds.parts - 1}")
    here = is_here(where)
    if spec.search is not None:
        if not here:
            raise UsageError(
                f"{path}: a search chooses each run by those before, one after the other; "
                "--devices and --on are for a grid and for runs"
            )
        runs = search(setup, spec.search)
    else:
        choices = _choices(spec)
        for settings in choices:
            _check(setup, settings)
        failed = {} if here else _elsewhere(setup, choices, where)
        runs = [run_one(setup, settings, failed.get(n)) for n, settings in enumerate(choices)]
    up = open_experiment(base, root).metric.greater_is_better
    runs.sort(key=lambda run: (run.score is None, -(run.score or 0) if up else run.score or 0))
    table = root / "runs" / f"sweep_{path.stem}.csv"
    _write_table(table, base.metric, runs)
    return Sweep(base.metric, tuple(runs), table)


def _check(setup: Setup, settings: dict[str, Any]) -> None:
    try:
        check_names(open_experiment(_config(setup, settings), setup.root))
    except ConfigError as problem:
        raise ConfigError(
            f"{setup.path}: the run {json.dumps(settings, ensure_ascii=False)}: {problem}"
        ) from problem


def _choices(spec: SweepFile) -> list[dict[str, Any]]:
    if spec.runs is not None:
        return list(spec.runs)
    grid = spec.grid or {}
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _config(setup: Setup, settings: dict[str, Any]) -> Config:
    """The config of one run: named after its settings, on the plan of the experiment."""
    spec, base = setup.spec, setup.base
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    name = f"{base.name}_{digest_text(text)[:8]}"
    own = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    own += [f"name={name}", f"folds.plan={base.folds.plan or base.name}"]
    own += [f"train.subset={spec.subset}"] if spec.subset else []
    return load_config(setup.root / spec.config if spec.config else None, [*setup.sets, *own])


def _elsewhere(setup: Setup, choices: list[dict[str, Any]], where: Where) -> dict[int, CompError]:
    """Let others train the runs; those that failed on their settings, with their errors."""
    experiment = open_experiment(setup.base, setup.root)
    configs = [plain(_config(setup, settings)) for settings in choices]
    names = [config["name"] for config in configs]
    options = {"configs": configs, "fold": setup.spec.fold}
    once = [number for number, name in enumerate(names) if name not in names[:number]]
    failed = dict(shared_out(where, experiment, once, work="sweep", options=options))
    for problem in failed.values():
        if not isinstance(problem, (ModelError, TrainError)):
            raise problem
    return failed


def run_one(setup: Setup, settings: dict[str, Any], failed: CompError | None = None) -> SweepRun:
    """Train the fold of the sweep with `settings` over the base config, or find it finished.
    failed: what it failed on elsewhere."""
    config = _config(setup, settings)
    experiment = open_experiment(config, setup.root)
    say(f"run {config.name}: {json.dumps(settings, ensure_ascii=False)}")
    try:
        if failed is not None:
            raise failed
        (trained,) = train(experiment, str(setup.spec.fold))
    except (ModelError, TrainError) as problem:
        say(f"run {config.name} failed: {problem}")
        return SweepRun(settings, config.name, None, None, str(problem).splitlines()[0])
    best = trained.manifest["best"]
    return SweepRun(settings, config.name, best[config.metric], best["valid_loss"])


def _write_table(path: Path, metric: str, runs: list[SweepRun]) -> None:
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run", *keys, metric, "valid_loss", "note"])
    for run in runs:
        cells = [json.dumps(run.settings.get(key), ensure_ascii=False) for key in keys]
        writer.writerow([run.name, *cells, run.score, run.loss, run.note])
    files.write_text(path, out.getvalue())


def search(setup: Setup, wanted: Search) -> list[SweepRun]:
    """Let Optuna choose the settings of each run; what it knows is in `runs/`, so that a stopped
    search can be resumed. ConfigError when Optuna is not installed."""
    optuna = need_optuna()
    base, name = setup.base, setup.path.stem
    path = setup.root / "runs" / f"sweep_{name}.optuna"
    path.parent.mkdir(exist_ok=True)
    up = open_experiment(base, setup.root).metric.greater_is_better
    study = open_study(path, name, rising=up)
    done = [trial.params for trial in study.trials if trial.state.name == "COMPLETE"]
    runs = [run_one(setup, settings) for settings in done]
    while len(runs) < wanted.trials:
        seed = derive(base.seed, "search", len(study.trials)) % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = study.ask()
        run = run_one(setup, draw(trial, wanted.space))
        failed = run.score is None
        study.tell(trial, run.score, state=optuna.trial.TrialState.FAIL if failed else None)
        runs.append(run)
    return runs


def need_optuna() -> Any:
    """The module; ConfigError when it is not installed."""
    try:
        import optuna
    except ImportError as problem:
        raise ConfigError("searching for settings needs Optuna: pip install optuna") from problem
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def open_study(path: Path, name: str, *, rising: bool, pruner: Any = None) -> Any:
    """The Optuna study in the file `path`, with the trial queued again that was running when the
    last process died. rising: whether a higher score is a better one."""
    optuna = need_optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    study = optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(path))),
        load_if_exists=True,
        direction="maximize" if rising else "minimize",
        pruner=pruner,
    )
    _take_up(study)
    return study


def _take_up(study: Any) -> None:
    """Queue the trial again that was running when the last search died."""
    for trial in study.trials:
        if trial.state.name == "RUNNING":
            study.enqueue_trial(trial.params, skip_if_exists=False)
            study.tell(trial.number, state=type(trial.state).FAIL)


def draw(trial: Any, space: dict[str, Span | Values]) -> dict[str, Any]:
    """The settings of a trial of Optuna, drawn from a space."""
    settings: dict[str, Any] = {}
    for key, where in space.items():
        if not isinstance(where, Span):
            settings[key] = trial.suggest_categorical(key, list(where))
        elif isinstance(where.low, int) and isinstance(where.high, int):
            settings[key] = trial.suggest_int(key, where.low, where.high, log=where.log)
        else:
            settings[key] = trial.suggest_float(key, where.low, where.high, log=where.log)
    return settings
