"""The commands about data: config, init, check, pack, augment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comp.cli.options import (
    AskOption,
    ConfigOption,
    DevicesOption,
    JsonOption,
    OnOption,
    PartitionOption,
    QuietOption,
    SetOption,
    open_config,
)
from comp.core.progress import be_quiet, say
from comp.core.terminal import again, can_show, tell

augment_app = typer.Typer(help="Augmentation.")


def config_command(config: ConfigOption = None, sets: SetOption = None) -> None:
    """Print the resolved config: every key with its value."""
    from comp.config.loading import dump_config
    from comp.stages.experiment import check_names

    experiment = open_config(config, sets)
    check_names(experiment)
    text = dump_config(experiment.config)
    tell(text if can_show(text) else dump_config(experiment.config, ascii_only=True), end="")


def init_command(
    data_dir: Annotated[Path, typer.Argument(help="The folder of the competition's data.")],
    out: Annotated[
        Path | None, typer.Option(help="The config.", show_default="configs/<name>.yaml")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a config that is there.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Look at a folder of data and write a commented config; guesses are marked."""
    import shlex

    from comp.stages.init import init

    be_quiet(quiet)
    made = init(data_dir, out, replace=replace)
    tell(made.text, end="")
    for problem in made.problems:
        say(f"warning: the config cannot be used yet: {problem}")
    say(f"wrote {made.path}; {made.guesses} guesses in it are marked with `# ?`")
    say(f"next: comp check -c {shlex.quote(str(made.path))}")


def check_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    accept_groups: Annotated[
        bool, typer.Option("--accept-groups", help="Keep proposed groups in one fold from now on.")
    ] = False,
    bad: Annotated[
        str, typer.Option(help="Unreadable images: error, or skip (test images become grey).")
    ] = "error",
    allow_extra_images: Annotated[
        bool,
        typer.Option(
            "--allow-extra-images",
            help="The test folder may hold images that the sample submission does not list.",
        ),
    ] = False,
    devices: DevicesOption = None,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look at every image and label: what is wrong, what leaks, what belongs together."""
    from comp.core.errors import CheckError, pick
    from comp.report.console.findings import print_check
    from comp.stages.check import record
    from comp.stages.runners.parts import check_on
    from comp.stages.runners.where import where_of

    where = where_of(devices, on=on, ask=ask or (), partition=partition)
    skip = pick({"error": False, "skip": True}, bad, "way with unreadable images (--bad)")
    experiment = open_config(config, sets, quiet)
    checked = check_on(
        where,
        experiment,
        accept_groups=accept_groups,
        skip=skip,
        allow_extra_images=allow_extra_images,
    )
    print_check(record(checked), checked.findings, as_json=as_json)
    paths = experiment.workspace
    say(f"wrote {paths.check_html} and {paths.check_json}")
    if accept_groups and paths.groups_csv.is_file():
        say(f"wrote {paths.groups_csv}: `comp folds make` holds these groups together")
    if checked.bad:
        raise CheckError(
            f"{experiment.name}: the data have errors, listed above. Fix the files, or "
            "set unreadable ones aside with `comp check --bad skip`"
        )
    say(f"next: comp folds make{again(config, sets)}")


def pack_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every row with its checksum.")
    ] = (False),
    devices: DevicesOption = None,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Decode every image once, into cache/; training and prediction do it by themselves too."""
    from comp.report.console.tables import print_packed
    from comp.stages.runners.parts import pack_on
    from comp.stages.runners.where import where_of

    where = where_of(devices, on=on, ask=ask or (), partition=partition)
    experiment = open_config(config, sets, quiet)
    print_packed(pack_on(where, experiment, verify=verify), as_json=as_json)
    say(f"next: comp train{again(config, sets)}")


@augment_app.command("show")
def augment_show(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("augment.png"),
    images: Annotated[int, typer.Option(min=1, max=20, help="The number of images.")] = 6,
    draws: Annotated[int, typer.Option(min=1, max=20, help="Augmented copies of each.")] = 7,
) -> None:
    """Draw a contact sheet: each row is an image, then its augmented copies."""
    from comp.stages.augment_show import show_augmentation

    show_augmentation(open_config(config, sets), out, images=images, draws=draws)
    tell(out)


def add_data(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("config")(config_command)
    app.command("init")(init_command)
    app.command("check")(check_command)
    app.command("pack")(pack_command)
    app.add_typer(augment_app, name="augment", no_args_is_help=True)
