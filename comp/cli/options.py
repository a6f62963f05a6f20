"""The options that commands share, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comp.core.errors import UsageError
from comp.core.progress import be_quiet, say
from comp.core.terminal import advise_for

if TYPE_CHECKING:
    from comp.stages.experiment import Experiment

ConfigOption = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="A YAML config.", show_default="configs/default.yaml"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the config; repeatable."),
]
FoldOption = Annotated[str, typer.Option("-f", "--fold", help="Folds: 0, or 0,2, or 0..4, or all.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DevicesOption = Annotated[
    str | None,
    typer.Option(help="A process per device, work from a queue: 0,1, auto, or cpu,cpu."),
]
OnOption = Annotated[
    str | None, typer.Option(help="Work elsewhere: ray or slurm.", show_default="here")
]
AskOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="What --on asks the cluster for; repeatable."),
]
PartitionOption = Annotated[str | None, typer.Option(help="--on slurm: the partition.")]


# old name of an option -> its name since version 0.2.0; the old one works until 0.3.0
RENAMED = {"--allow-unasked": "--allow-extra-images"}


def current_names(words: list[str]) -> list[str]:
    """The words of a command line with options under their present names; notes on stderr."""
    for old in [word for word in words if word in RENAMED]:
        say(f"note: {old} is called {RENAMED[old]} now")
    return [RENAMED.get(word, word) for word in words]


def open_config(
    config: Path | None,
    sets: list[str] | None,
    quiet: bool = False,
    *,
    planned: bool = False,
    runs: Sequence[str] = (),
) -> Experiment:
    """The experiment of a config file with values laid over it; without a config, of the first run.

    Commands call it before they import what imports torch, so that a refusal comes at once.
    planned: raise PlanError where there is no fold plan; runs: UsageError for a name of no run.
    """
    from comp.config.loading import load_config
    from comp.config.runs import check_runs, run_config_path
    from comp.stages.experiment import open_experiment

    be_quiet(quiet)
    if config is None and runs:
        config = run_config_path(runs[0], Path("runs"))
    advise_for(config, sets)
    experiment = open_experiment(load_config(config, sets or []))
    check_runs(runs, experiment.workspace.run.parent, experiment.name)
    paths = experiment.workspace
    if planned and not (paths.plan_csv.is_file() and paths.plan_json.is_file()):
        from comp.data.folds.plan_file import load_plan

        load_plan(paths.plan_csv, paths.plan_json)
    return experiment


def output_file(path: Path | None, option: str) -> Path | None:
    """The file that is to be written by an option; None stays. Raises UsageError for a folder, and
    for one outside this folder whose own folder is not there: it may be misspelt."""
    if path is None:
        return None
    if path.is_dir() or not path.name:
        raise UsageError(f"{option} {path}: is a folder; name the file to write in it")
    outside = path.is_absolute() or ".." in path.parts
    if outside and not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")
    return path
