"""The commands: they parse, print, catch and exit. Heavy imports wait until they are needed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from comp import __version__
from comp.errors import CompError, Interrupted
from comp.progress import be_quiet, say

if TYPE_CHECKING:
    from comp.stages.experiment import Experiment


class Commands(TyperGroup):
    """Turns Ctrl-C into an error with its own exit code before Typer calls it "Aborted"."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as signal_:
            raise Interrupted(
                "interrupted; the same command goes on from the last checkpoint", signal.SIGINT
            ) from signal_


app = typer.Typer(
    cls=Commands,
    help="From a folder of competition images to an accepted submission.",
    rich_markup_mode=None,  # plain help: it does not pay for importing Rich
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
folds_app = typer.Typer(help="The fold plan: written once, obeyed by every later step.")
augment_app = typer.Typer(help="Augmentation.")
app.add_typer(folds_app, name="folds", no_args_is_help=True)
app.add_typer(augment_app, name="augment", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="A YAML config.", show_default="configs/default.yaml"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the config; repeatable."),
]
FoldOption = Annotated[
    str, typer.Option("-f", "--fold", help="Which folds: 0, or 0,2, or 0..4, or all.")
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No messages, only results.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")]


def _open(config: Path | None, sets: list[str] | None, quiet: bool = False) -> Experiment:
    from comp.config import load_config
    from comp.stages.experiment import open_experiment

    be_quiet(quiet)
    return open_experiment(load_config(config, sets or []))


def _again(config: Path | None, sets: list[str] | None) -> str:
    """The options that repeat this experiment, for the next command."""
    import shlex

    words = ["-c", str(config)] if config else []
    for assignment in sets or []:
        words += ["--set", assignment]
    return "".join(f" {shlex.quote(word)}" for word in words)


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
    from comp.config import dump_config
    from comp.stages.experiment import check_names

    experiment = _open(config, sets)
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
    begun = init(data_dir, out, replace=replace)
    print(begun.text, end="")
    for problem in begun.problems:
        say(f"warning: this does not fit yet: {problem}")
    say(f"wrote {begun.path}; {begun.doubts} guesses in it are marked with `# ?`")
    say(f"next: comp check -c {shlex.quote(str(begun.path))}")


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
    allow_unasked: Annotated[
        bool, typer.Option("--allow-unasked", help="More test images than the sample asks for.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look at every image and label; tell what is wrong, what leaks, what belongs together."""
    from comp.errors import CheckError, pick
    from comp.report.findings import print_check
    from comp.stages.check import check, record

    skip = pick({"error": False, "skip": True}, bad, "way with unreadable images (--bad)")
    experiment = _open(config, sets, quiet)
    checked = check(experiment, accept_groups=accept_groups, skip=skip, allow_unasked=allow_unasked)
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
    say(f"next: comp folds make{_again(config, sets)}")


@folds_app.command("make")
def folds_make(
    config: ConfigOption = None,
    sets: SetOption = None,
    replace: Annotated[bool, typer.Option(help="Put another plan in the place of this.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Part the training images into folds and write the plan."""
    from comp.report.tables import print_plan
    from comp.stages.folds import make_folds

    experiment = _open(config, sets, quiet)
    plan, balance, written = make_folds(experiment, replace=replace)
    print_plan(plan, balance, as_json=as_json)
    path = experiment.workspace.plan_csv
    say(f"{'wrote' if written else 'unchanged:'} {path}")
    say(f"next: comp train{_again(config, sets)} --fold 0..{plan.count - 1}")


@folds_app.command("show")
def folds_show(
    config: ConfigOption = None, sets: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check the plan against the data and print its balance."""
    from comp.report.tables import print_plan
    from comp.stages.folds import show_folds

    plan, balance = show_folds(_open(config, sets))
    print_plan(plan, balance, as_json=as_json)


@app.command("train")
def train_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train folds; finished ones are skipped, unfinished ones go on where they stopped."""
    from comp.report.tables import print_trained
    from comp.stages.train import train

    experiment = _open(config, sets, quiet)
    trained = train(experiment, fold)
    print_trained(trained, experiment.metric.name, as_json=as_json)
    missing = [
        number
        for number in range(experiment.config.folds.count)
        if not experiment.workspace.fold(number).done.is_file()
    ]
    again = _again(config, sets)
    if missing:
        say(f"next: comp train{again} --fold {','.join(map(str, missing))}")
    else:
        say(f"next: comp ensemble{again}")


@app.command("predict")
def predict_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    tta: Annotated[str | None, typer.Option(help="The same as --set predict.tta=...")] = None,
    quiet: QuietOption = False,
) -> None:
    """Write the validation and test probabilities of trained folds, where they are missing."""
    from comp.stages.predict import predict

    sets = [*(sets or []), *([f"predict.tta={tta}"] if tta else [])]
    written = predict(_open(config, sets, quiet), fold)
    if not written:
        say("nothing to do: these predictions are there already")
    for path in written:
        print(path)
    say(f"next: comp ensemble{_again(config, sets)}")


@app.command("ensemble")
def ensemble_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    vote: Annotated[str | None, typer.Option(help="soft or hard; see ensemble.vote.")] = None,
    tune: Annotated[bool, typer.Option(help="Tune thresholds out of fold.")] = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict what is missing, tune and score out of fold, and write the checked submission."""
    from comp.report.tables import print_ensemble
    from comp.stages.ensemble import ensemble

    sets = [*(sets or []), *([f"ensemble.vote={vote}"] if vote else [])]
    sets += [] if tune else ["ensemble.tune=false"]
    result = ensemble(_open(config, sets, quiet))
    print_ensemble(result, as_json=as_json)
    say(f"wrote {result.path} and {result.manifest}")


@augment_app.command("show")
def augment_show(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("augment.png"),
    images: Annotated[int, typer.Option(min=1, max=20, help="How many images.")] = 6,
    draws: Annotated[int, typer.Option(min=1, max=20, help="How many draws of each.")] = 7,
) -> None:
    """A contact sheet: each row an image as it is, then as training will see it."""
    from comp.stages.show import show_augmentation

    show_augmentation(_open(config, sets), out, images=images, draws=draws)
    print(out)


def main() -> None:
    """Run a command and exit with its code: see `comp.errors`.

    A user's mistake is a message on stderr, never a traceback.
    """
    try:
        app()
    except CompError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
