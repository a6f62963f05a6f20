"""The command about pages: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comp.cli.answers import config_of
from comp.cli.options import ConfigOption, JsonOption, QuietOption, SetOption, open_config
from comp.core.progress import say


def report_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Runs; several are compared.")
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="The page to write.")] = None,
    maps: Annotated[
        bool, typer.Option("--maps/--no-maps", help="With class activation maps.")
    ] = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a page about a run: scores, curves, confusions, worst images; or compare runs."""
    from comp.report.console.reported import print_reported, print_versus
    from comp.stages.ensembling.members import run_experiment
    from comp.stages.reporting.report import report_run
    from comp.stages.reporting.versus import compare_runs

    experiment = open_config(config_of(config, names or []), sets, quiet)
    if names and len(names) > 1:
        found = compare_runs(experiment, names, out)
        print_versus(found, as_json=as_json)
        say(f"wrote {found.path}")
        return
    if names:
        experiment = run_experiment(names[0], experiment)
    made = report_run(experiment, out, maps=maps)
    print_reported(made.shown, as_json=as_json)
    say(f"wrote {made.path}")


def add_reports(app: typer.Typer) -> None:
    """Put this command on the program."""
    app.command("report")(report_command)
