"""The commands about pages: report, watch."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from comp.cli.options import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    open_config,
    output_file,
)
from comp.core.errors import Interrupted, UsageError
from comp.core.progress import say
from comp.core.terminal import tell


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
    names = names or []
    out = output_file(out, "--out")
    experiment = open_config(config, sets, quiet, runs=names, planned=True)
    from comp.report.console.reported import print_reported, print_versus
    from comp.stages.ensembling.members import run_experiment
    from comp.stages.reporting.report import report_run
    from comp.stages.reporting.versus import compare_runs

    if len(names) > 1:
        found = compare_runs(experiment, names, out)
        print_versus(found, as_json=as_json)
        say(f"wrote {found.path}")
        return
    if names:
        experiment = run_experiment(names[0], experiment)
    made = report_run(experiment, out, maps=maps)
    print_reported(made, as_json=as_json)
    say(f"wrote {made.path}")


def watch_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Runs; by default that of the config."),
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw on the terminal, without a page.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port of the page; 0: a free one.")
    ] = 0,
    every: Annotated[
        float, typer.Option(min=0.2, max=3600.0, help="Seconds between two looks.")
    ] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Follow folds in training from their files: a page on this machine, or the terminal."""
    from comp.config.loading import load_config
    from comp.report.console.printing import print_json
    from comp.stages.watching.reading import plain
    from comp.stages.watching.watch import look, on_terminal, readers_of

    if as_json and terminal:
        raise UsageError("--json is one look for a script, --terminal a picture: give one of them")
    chosen = None if names else load_config(config, sets or [])
    readers = readers_of(names or [], chosen, wait=not as_json)
    if as_json:
        print_json({"runs": plain(look(readers))})
    elif terminal:
        on_terminal(readers, every)
    else:
        from comp.stages.watching.server import WatchServer, serve

        server = WatchServer(readers, port, every)
        tell(server.address)
        sys.stdout.flush()
        say("open it in a browser on this machine; Ctrl-C ends the page, not the training")
        with contextlib.suppress(KeyboardInterrupt, Interrupted):
            serve(server)


def add_reports(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("report")(report_command)
    app.command("watch")(watch_command)
