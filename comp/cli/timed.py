"""The commands that are given a time: tune, run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from comp.cli.options import ConfigOption, QuietOption, SetOption, open_config
from comp.core.errors import UsageError
from comp.core.progress import be_quiet, say

HoursOption = Annotated[float | None, typer.Option(min=0.01, help="How long it may take.")]
MinutesOption = Annotated[float | None, typer.Option(min=0.5, help="The same in minutes.")]


def _hours(hours: float | None, minutes: float | None) -> float:
    if (hours is None) == (minutes is None):
        raise UsageError("give --hours or --minutes: how long it may take")
    return hours if hours is not None else (minutes or 0.0) / 60


def tune_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    hours: HoursOption = None,
    minutes: MinutesOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The config to write.", show_default="configs/<name>_tuned.yaml"),
    ] = None,
    models: Annotated[
        str, typer.Option(help="Other networks that may be tried: resnet18,convnext_nano")
    ] = "",
    trials: Annotated[int | None, typer.Option(min=1, help="At most so many trials.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Search for a better config; the time is for the search and for all folds of the winner."""
    allowed = _hours(hours, minutes)
    experiment = open_config(config, sets, quiet)
    path = out or Path("configs") / f"{experiment.config.name}_tuned.yaml"
    if path.suffix != ".yaml":
        raise UsageError(
            f"--out {path}: a config ends in .yaml; its name is that of the experiment"
        )
    from comp.report.console.tuned import print_tuned
    from comp.stages.search.tune import tune

    names = tuple(name.strip() for name in models.split(",") if name.strip())
    found = tune(experiment, allowed, path, names, trials)
    print_tuned(found)
    say(
        f"wrote {found.config} and {found.table}; its folds take about {found.seconds / 60:.0f} min"
    )
    say(f"next: comp train -c {shlex.quote(str(path))} --fold all")


def run_command(
    data_dir: Annotated[Path, typer.Argument(help="The folder of the competition's data.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    hours: HoursOption = None,
    minutes: MinutesOption = None,
    quiet: QuietOption = False,
) -> None:
    """From a folder of data to a checked submission in the given time, step by step."""
    be_quiet(quiet)
    allowed = _hours(hours, minutes)
    from comp.report.console.ensemble_tables import print_ensemble
    from comp.stages.run import run

    done = run(data_dir, allowed, config=config, sets=sets or [])
    print_ensemble(done.made, as_json=False)
    say(f"trained with {done.config}; what was decided is in {done.decisions}")


def add_timed(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("tune")(tune_command)
    app.command("run")(run_command)
