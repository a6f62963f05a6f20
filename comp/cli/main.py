"""The commands: they parse, print, catch and exit. Heavy imports wait until they are needed."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from comp import __version__
from comp.cli.answers import add_answers
from comp.cli.folds import folds_app
from comp.cli.options import (
    ConfigOption,
    FoldOption,
    JsonOption,
    QuietOption,
    SetOption,
    again,
    open_config,
)
from comp.core.errors import CompError, Interrupted, OutOfTime
from comp.core.progress import be_quiet, say


class Commands(TyperGroup):
    """Turns Ctrl-C into an error with its own exit code before Typer calls it "Aborted"."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        before = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(ValueError):  # not in the main thread: then it stays as it is
            signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as signal_:
            raise Interrupted(
                "interrupted; the same command goes on from the last checkpoint", signal.SIGINT
            ) from signal_
        finally:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Interrupted("terminated; the same command goes on from what is finished", number)


app = typer.Typer(
    cls=Commands,
    help="From a folder of competition images to an accepted submission.",
    rich_markup_mode=None,  # plain help: it does not pay for importing Rich
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
augment_app = typer.Typer(help="Augmentation.")
app.add_typer(folds_app, name="folds", no_args_is_help=True)
find_app = typer.Typer(help="Numbers worth measuring before a long run.")
app.add_typer(find_app, name="find", no_args_is_help=True)
app.add_typer(augment_app, name="augment", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command("config")
def config_command(config: ConfigOption = None, sets: SetOption = None) -> None:
    """Print the resolved config: every key with its value."""
    from comp.config.loading import dump_config
    from comp.stages.experiment import check_names

    experiment = open_config(config, sets)
    check_names(experiment)
    print(dump_config(experiment.config), end="")


@app.command("init")
def init_command(
    data_dir: Annotated[Path, typer.Argument(help="The folder that holds the competition.")],
    out: Annotated[
        Path | None, typer.Option(help="The config.", show_default="configs/<name>.yaml")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a config.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Look at a folder of data and write a commented config; what was guessed is marked."""
    import shlex

    from comp.stages.init import init

    be_quiet(quiet)
    made = init(data_dir, out, replace=replace)
    print(made.text, end="")
    for problem in made.problems:
        say(f"warning: the config cannot be used yet: {problem}")
    say(f"wrote {made.path}; {made.guesses} guesses in it are marked with `# ?`")
    say(f"next: comp check -c {shlex.quote(str(made.path))}")


@app.command("check")
def check_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    accept_groups: Annotated[
        bool, typer.Option("--accept-groups", help="Obey the proposed groups from now on.")
    ] = False,
    bad: Annotated[
        str, typer.Option(help="Unreadable images: error, or skip (test images turn grey).")
    ] = "error",
    allow_extra_images: Annotated[
        bool,
        typer.Option(
            "--allow-extra-images",
            "--allow-unasked",
            help="The test folder may hold images that the sample submission does not list.",
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look at every image and label; tell what is wrong, what leaks, what belongs together."""
    from comp.core.errors import CheckError, pick
    from comp.report.findings import print_check
    from comp.stages.check import check, record

    skip = pick({"error": False, "skip": True}, bad, "way with unreadable images (--bad)")
    experiment = open_config(config, sets, quiet)
    checked = check(
        experiment, accept_groups=accept_groups, skip=skip, allow_extra_images=allow_extra_images
    )
    print_check(record(checked), checked.findings, as_json=as_json)
    paths = experiment.workspace
    say(f"wrote {paths.check_html} and {paths.check_json}")
    if accept_groups and paths.groups_csv.is_file():
        say(f"wrote {paths.groups_csv}: `comp folds make` holds these groups together")
    if checked.bad:
        raise CheckError(
            f"{experiment.name}: the data are not right; the errors are above. Mend the files, or "
            "set unreadable ones aside with `comp check --bad skip`"
        )
    say(f"next: comp folds make{again(config, sets)}")


@app.command("pack")
def pack_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every row with its sum.")] = (
        False
    ),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Decode every image once, into cache/; training and prediction do it by themselves too."""
    from comp.report.tables import print_packed
    from comp.stages.pack import pack

    print_packed(pack(open_config(config, sets, quiet), verify=verify), as_json=as_json)
    say(f"next: comp train{again(config, sets)}")


@app.command("train")
def train_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    max_hours: Annotated[
        float | None, typer.Option(min=0.001, help="Stop on a checkpoint in time.")
    ] = None,
    subset: Annotated[
        int | None,
        typer.Option(min=4, help="Experiment on so many images, like the whole."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove what these folds have and begin again.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train folds; finished ones are skipped, unfinished ones go on where they stopped."""
    from comp.report.tables import print_trained
    from comp.stages.train import train

    sets = [*(sets or []), *([f"train.max_hours={max_hours}"] if max_hours else [])]
    sets += [f"train.subset={subset}"] if subset else []
    experiment = open_config(config, sets, quiet)
    try:
        trained = train(experiment, fold, restart=restart)
    except (Interrupted, OutOfTime):
        _say_left(config, sets)
        raise
    print_trained(trained, experiment.metric.name, as_json=as_json)
    missing = [
        number
        for number in range(experiment.config.folds.parts)
        if not experiment.workspace.fold(number).done.is_file()
    ]
    options = again(config, sets)
    if subset:
        return
    if missing:
        say(f"next: comp train{options} --fold {','.join(map(str, missing))}")
    else:
        say(f"next: comp ensemble{options}")


def _say_left(config: Path | None, sets: list[str] | None) -> None:
    """What is left to train, and the command to go on with."""
    from comp.config.loading import load_config
    from comp.report.status import describe_left
    from comp.stages.status import read_status

    say(describe_left(read_status(load_config(config, sets or [])), again(config, sets)))


@app.command("sweep")
def sweep_command(
    file: Annotated[Path, typer.Argument(help="A YAML file with grid, runs or search.")],
    sets: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train one fold under many settings, each a run of its own, and compare them."""
    from comp.report.tables import print_sweep
    from comp.stages.sweep import sweep

    be_quiet(quiet)
    result = sweep(file, sets or [])
    print_sweep(result)
    say(f"wrote {result.table}")


@find_app.command("lr")
def find_lr(
    config: ConfigOption = None,
    sets: SetOption = None,
    fold: Annotated[int, typer.Option("-f", "--fold", min=0, help="Which fold.")] = 0,
    steps: Annotated[int, typer.Option(min=10, help="How many updates.")] = 100,
) -> None:
    """A learning-rate range test, with a picture and a suggestion."""
    from comp.stages.find import find_rate

    found = find_rate(open_config(config, sets), fold, steps)
    print(f"{found.suggestion:.1e}")
    say(f"the loss falls fastest there; see {found.picture}")
    say(f"next: comp train{again(config, sets)} --set train.lr={found.suggestion:.1e}")


@find_app.command("batch")
def find_batch_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    fold: Annotated[int, typer.Option("-f", "--fold", min=0, help="Which fold.")] = 0,
    limit: Annotated[int, typer.Option(min=2, help="No batch larger than this.")] = 1024,
) -> None:
    """Which batch sizes fit the device, and how fast each trains, with a picture."""
    from comp.stages.find import find_batch

    found = find_batch(open_config(config, sets), fold, limit)
    for trial in found.trials:
        memory = "" if trial.memory is None else f"  {trial.memory} MiB"
        print(f"{trial.size:5}  {trial.speed:9.1f} images/s{memory}")
    largest = f"{'all fit up to' if found.limited else 'the largest that fits is'} {found.largest}"
    say(f"{largest}, the fastest is {found.fastest}; see {found.picture}")


@app.command("status")
def status_command(
    config: ConfigOption = None, sets: SetOption = None, as_json: JsonOption = False
) -> None:
    """How far each fold is, who is at work, what is left, and the next command."""
    from comp.config.loading import load_config
    from comp.report.status import print_status
    from comp.stages.status import read_status

    print_status(read_status(load_config(config, sets or [])), again(config, sets), as_json)


@app.command("predict")
def predict_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    tta: Annotated[
        str | None, typer.Option(help="none, hflip, flips, d4, auto, or views: id+flip.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write the validation and test probabilities of trained folds, where they are missing."""
    from comp.stages.experiment import parse_folds
    from comp.stages.predict import open_predictor

    sets = [*(sets or []), *([f"predict.tta={tta}"] if tta else [])]
    predictor = open_predictor(open_config(config, sets, quiet))
    written = predictor.run(parse_folds(fold, predictor.plan.count))
    if predictor.experiment.config.predict.tta == "auto":
        from comp.report.ensemble_tables import print_views

        print_views(predictor.choose_views(), predictor.experiment.metric.name)
    if not written:
        say("nothing to do: these predictions are there already")
    for path in written:
        print(path)
    say(f"next: comp ensemble{again(config, sets)}")


@augment_app.command("show")
def augment_show(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("augment.png"),
    images: Annotated[int, typer.Option(min=1, max=20, help="How many images.")] = 6,
    draws: Annotated[int, typer.Option(min=1, max=20, help="How many draws of each.")] = 7,
) -> None:
    """A contact sheet: each row an image as it is, then as training will see it."""
    from comp.stages.augment_show import show_augmentation

    show_augmentation(open_config(config, sets), out, images=images, draws=draws)
    print(out)


add_answers(app)


def main() -> None:
    """Run a command and exit with its code: see `comp.core.errors`.

    A user's mistake is a message on stderr, never a traceback.
    """
    try:
        app()
    except CompError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except OSError as problem:  # a disk that fails where no stage expects it
        where = f"{problem.filename}: " if problem.filename else ""
        print(f"error: {where}{problem.strerror or problem}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
