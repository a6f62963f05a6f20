"""The commands of the fold plan."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comp.cli.options import ConfigOption, JsonOption, QuietOption, SetOption, open_config
from comp.core.errors import UsageError
from comp.core.progress import say
from comp.core.terminal import again, tell

if TYPE_CHECKING:
    from comp.stages.experiment import Experiment
    from comp.stages.folds import Made

folds_app = typer.Typer(help="The fold plan, which every later step follows.")

ReplaceOption = Annotated[bool, typer.Option("--replace", help="Overwrite another plan.")]
LeakOption = Annotated[
    bool,
    typer.Option(
        "--allow-leak",
        help="Allow a plan that separates copies or groups; the plan and its manifests say so.",
    ),
]


@folds_app.command("make")
def folds_make(
    config: ConfigOption = None,
    sets: SetOption = None,
    replace: ReplaceOption = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Give new ids a fold; the others keep theirs.")
    ] = False,
    repeats: Annotated[
        int, typer.Option(min=1, help="The number of plans: this seed and the next ones.")
    ] = 1,
    allow_leak: LeakOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Divide the training images into folds and write the plan."""
    from comp.stages.folds import extend_folds, make_folds, repeat_folds

    if extend and (replace or repeats > 1):
        raise UsageError("--extend keeps the plan; it does not go with --replace or --repeats")
    experiment = open_config(config, sets, quiet)
    make = extend_folds if extend else partial(make_folds, replace=replace)
    made = make(experiment, allow_leak=allow_leak)
    _tell_plan(experiment, made, again(config, sets), as_json)
    for name in repeat_folds(experiment, repeats, replace=replace, allow_leak=allow_leak):
        say(f"and folds/{name}.csv: comp train{again(config, [*(sets or []), f'name={name}'])}")


def _tell_plan(experiment: Experiment, made: Made, again: str, as_json: bool) -> None:
    from comp.report.console.tables import print_plan

    plan, balance, written = made
    print_plan(plan, balance, as_json=as_json)
    say(f"{'wrote' if written else 'unchanged:'} {experiment.workspace.plan_csv}")
    say(f"next: comp train{again} --fold {'0' if plan.count == 1 else f'0..{plan.count - 1}'}")


@folds_app.command("import")
def folds_import(
    file: Annotated[Path, typer.Argument(help="nnU-Net's splits_final.json.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    replace: ReplaceOption = False,
    allow_leak: LeakOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take the folds in nnU-Net's splits_final.json as the plan."""
    from comp.stages.folds import import_folds

    experiment = open_config(config, sets, quiet)
    made = import_folds(experiment, file, replace=replace, allow_leak=allow_leak)
    _tell_plan(experiment, made, again(config, sets), as_json)


@folds_app.command("export")
def folds_export(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("splits_final.json"),
) -> None:
    """Write the plan as nnU-Net's splits_final.json."""
    from comp.stages.folds import export_folds

    export_folds(open_config(config, sets), out)
    tell(out)


@folds_app.command("show")
def folds_show(
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
    picture: Annotated[Path | None, typer.Option(help="A PNG of the balance to write.")] = None,
) -> None:
    """Check the plan against the data and print its balance."""
    from comp.report.console.tables import print_plan
    from comp.stages.folds import show_folds

    plan, balance = show_folds(open_config(config, sets), picture)
    print_plan(plan, balance, as_json=as_json)
    if picture is not None:
        say(f"wrote {picture}")
