"""The commands about training: train, pseudo, boxes, embed, sweep, find, status, predict."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from comp.cli.options import (
    AskOption,
    ConfigOption,
    DevicesOption,
    FoldOption,
    JsonOption,
    OnOption,
    PartitionOption,
    QuietOption,
    SetOption,
    open_config,
)
from comp.core.errors import Interrupted, OutOfTime, UsageError
from comp.core.progress import be_quiet, say
from comp.core.terminal import advise_for, again, tell

find_app = typer.Typer(help="Numbers to measure before a long run.")


def train_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    max_hours: Annotated[
        float | None, typer.Option(min=0.001, help="Stop after so many hours, on a checkpoint.")
    ] = None,
    subset: Annotated[
        int | None,
        typer.Option(min=4, help="Train on this many images, chosen to represent the whole."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete these folds' results and start over.")
    ] = False,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train on all images, as long as the folds found best."),
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How many networks --refit trains.")] = 1,
    devices: DevicesOption = None,
    together: Annotated[
        bool, typer.Option("--together", help="One fold on all of --devices, by torchrun.")
    ] = False,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train folds; finished folds are skipped, unfinished ones resume."""
    sets = [*(sets or []), *([f"train.max_hours={max_hours}"] if max_hours else [])]
    sets += [f"train.subset={subset}"] if subset else []
    if refit and fold != "all":
        raise UsageError("--refit trains on all images; leave --fold out")
    if seeds != 1 and not refit:
        raise UsageError("--seeds is how many networks --refit trains; folds have one each")
    experiment = open_config(config, sets, quiet, planned=True)
    from comp.stages.experiment import parse_folds

    parse_folds(fold, experiment.config.folds.parts)
    from comp.report.console.tables import print_trained
    from comp.stages.extras.refit import refit as run_refit
    from comp.stages.runners.table import train_on
    from comp.stages.runners.where import where_of
    from comp.train.hardware.world import is_follower

    where = where_of(devices, together=together, on=on, ask=ask or (), partition=partition)
    if refit and where.on != "local":
        raise UsageError("--refit trains in this process; leave --devices and --on out")
    try:
        if refit:
            made = run_refit(experiment, seeds, restart=restart)
            print_trained(made, experiment.metric.name, as_json=as_json)
            options = again(config, [*sets, "ensemble.refit=true"])
            say(f"next: comp ensemble{options}")
            return
        trained = train_on(where, experiment, fold, restart=restart)
        if is_follower():
            return  # the first process speaks for all
    except (Interrupted, OutOfTime):
        if is_follower():
            raise
        if refit:
            say(f"next: comp train{again(config, sets)} --refit --seeds {seeds}")
        else:
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
        return
    if not all(fold.before for fold in trained):
        from comp.stages.reporting.report import report_training

        page = report_training(experiment)
        if page is not None:
            say(f"wrote {page}; `comp report` adds what the out-of-fold answers say")
    say(f"next: comp ensemble{options}")


def _say_left(config: Path | None, sets: list[str] | None) -> None:
    """Say what is left to train, and the command that continues."""
    from comp.config.loading import load_config
    from comp.report.console.status import describe_left
    from comp.stages.status import read_status

    say(describe_left(read_status(load_config(config, sets or [])), again(config, sets)))


def pseudo_command(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Finished runs; by default that of the config.")
    ] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    name: Annotated[
        str | None, typer.Option(help="Writes pseudo/<name>/.", show_default="the first run")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="A folder of images without labels.", show_default="the test images"),
    ] = None,
    labels: Annotated[
        str, typer.Option(help="soft: probabilities; hard: the class that they mean.")
    ] = "soft",
    above: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Least confidence of what is kept.")
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(min=0.001, max=1.0, help="The share of images kept, the most confident."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over what is there.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer images without labels by the finished folds; the next run trains on them."""
    experiment = open_config(config, sets, quiet, planned=True)
    from comp.report.console.tables import print_pseudo
    from comp.stages.extras.pseudo import make_pseudo
    from comp.stages.extras.pseudo_files import make_choice

    choice = make_choice(labels, above, keep)
    teachers = runs or [experiment.name]
    name = name or teachers[0]
    try:
        made = make_pseudo(
            experiment, teachers, name, images=images, choice=choice, replace=replace
        )
    except (KeyboardInterrupt, Interrupted) as problem:
        code = getattr(problem, "exit_code", 128 + signal.SIGINT)
        raise Interrupted(
            f"stopped before pseudo/{name} was written, when all folds have their answers; the "
            "same command begins with the first fold again",
            code - 128,
        ) from problem
    print_pseudo(made, as_json=as_json)
    say(f"wrote {made.path}")
    plan = experiment.config.folds.plan or experiment.name
    options = f"{again(config, sets)} --set name=NEW --set folds.plan={plan}"
    say(f"next: comp train{options} --set train.pseudo.name={made.name}")


def boxes_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The table to write.", show_default="boxes/<name>.csv")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="Only regions of this class; repeatable.", show_default="all"),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write where the masks of a segmentation run lie; a second run trains on these crops."""
    experiment = open_config(config, sets, quiet, planned=True)
    from comp.stages.extras.boxes import find_boxes

    made = find_boxes(experiment, out, classes or [])
    tell(f"{made.path}: {made.images} images, {made.empty} of them without a region")
    say(f"next: in the config of the second run, data.boxes: {made.path}")


def embed_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    model: Annotated[
        str | None, typer.Option(help="A timm model in the place of model.name.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="A local file of its weights (model.weights).")
    ] = None,
    tta: Annotated[
        str | None, typer.Option(help="Views that are made too, as in predict.tta.")
    ] = None,
    devices: DevicesOption = None,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the features of a network for all images, once; probes are fitted on them."""
    sets = [*(sets or []), *([f"model.name={model}"] if model else [])]
    sets += [f"model.weights={weights}"] if weights else []
    experiment = open_config(config, sets, quiet)
    from comp.report.console.tables import print_embedded
    from comp.stages.runners.parts import embed_on
    from comp.stages.runners.where import where_of

    where = where_of(devices, on=on, ask=ask or (), partition=partition)
    print_embedded(embed_on(where, experiment, tta), as_json=as_json)
    say(f"next: comp train{again(config, sets)} --set model.probe=logistic --set name=...")


def sweep_command(
    file: Annotated[
        Path, typer.Argument(help="A YAML file with a grid, a list of runs or a search.")
    ],
    sets: SetOption = None,
    devices: DevicesOption = None,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train one fold with many settings, each as a run of its own, and compare them."""
    from comp.report.console.tables import print_sweep
    from comp.stages.runners.where import where_of
    from comp.stages.search.sweep import sweep

    be_quiet(quiet)
    where = where_of(devices, on=on, ask=ask or (), partition=partition)
    result = sweep(file, sets or [], where=where)
    print_sweep(result)
    say(f"wrote {result.table}")


@contextlib.contextmanager
def keeps_nothing(command: str) -> Iterator[None]:
    """The words of a command that has nothing to go on with when it is stopped."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stopped:
        number = signal.SIGINT
        if isinstance(stopped, Interrupted):
            number = signal.Signals(stopped.exit_code - 128)
        raise Interrupted(
            f"stopped; nothing is kept of it, `{command}` begins anew", number
        ) from stopped


@find_app.command("lr")
def find_lr(
    config: ConfigOption = None,
    sets: SetOption = None,
    fold: Annotated[int, typer.Option("-f", "--fold", min=0, help="The fold.")] = 0,
    steps: Annotated[int, typer.Option(min=10, help="The number of updates.")] = 100,
) -> None:
    """Run a learning-rate range test; suggest a rate and draw the curve."""
    experiment = open_config(config, sets, planned=True)
    from comp.stages.search.find import find_rate

    with keeps_nothing("comp find lr"):
        found = find_rate(experiment, fold, steps)
    tell(f"{found.suggestion:.1e}")
    say(f"the loss falls fastest there; see {found.picture}")
    say(f"next: comp train{again(config, sets)} --set train.lr={found.suggestion:.1e}")


@find_app.command("batch")
def find_batch_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    fold: Annotated[int, typer.Option("-f", "--fold", min=0, help="The fold.")] = 0,
    limit: Annotated[int, typer.Option(min=2, help="The largest batch size to try.")] = 1024,
) -> None:
    """Measure which batch sizes fit the device, and how fast it is alone and with the loader."""
    experiment = open_config(config, sets, planned=True)
    from comp.stages.search.find import find_batch

    with keeps_nothing("comp find batch"):
        found = find_batch(experiment, fold, limit)
    tell(f"{'batch':>5}  {'training':>9}  {'device':>9}  images/s")
    for trial in found.trials:
        memory = "" if trial.memory is None else f"  {trial.memory} MiB"
        loop = "-" if trial.loop is None else f"{trial.loop:.1f}"
        tell(f"{trial.size:5}  {loop:>9}  {trial.speed:9.1f}{memory}")
    largest = f"{'all fit up to' if found.limited else 'the largest that fits is'} {found.largest}"
    say(f"{largest}, the fastest is {found.fastest}; see {found.picture}")
    if not found.limited:
        say(f"a larger train.batch_size trains with --set train.micro_batch={found.largest}")


def status_command(
    config: ConfigOption = None, sets: SetOption = None, as_json: JsonOption = False
) -> None:
    """Show how far each fold is, who is training it, what is left and the next command."""
    from comp.config.loading import load_config
    from comp.report.console.status import print_status
    from comp.stages.status import read_status

    advise_for(config, sets)
    print_status(read_status(load_config(config, sets or [])), again(config, sets), as_json)


def predict_command(
    fold: FoldOption = "all",
    config: ConfigOption = None,
    sets: SetOption = None,
    tta: Annotated[
        str | None, typer.Option(help="none, hflip, flips, d4, auto, or views: id+flip.")
    ] = None,
    devices: DevicesOption = None,
    on: OnOption = None,
    ask: AskOption = None,
    partition: PartitionOption = None,
    quiet: QuietOption = False,
) -> None:
    """Predict the validation part and the test images of trained folds, where missing."""
    sets = [*(sets or []), *([f"predict.tta={tta}"] if tta else [])]
    experiment = open_config(config, sets, quiet, planned=True)
    from comp.stages.experiment import parse_folds

    folds = parse_folds(fold, experiment.config.folds.parts)
    from comp.stages.predict import open_predictor
    from comp.stages.runners.parts import predict_on
    from comp.stages.runners.where import where_of

    where = where_of(devices, on=on, ask=ask or (), partition=partition)
    predictor = open_predictor(experiment)
    written = predict_on(where, predictor, folds)
    if predictor.experiment.config.predict.tta == "auto":
        from comp.report.console.ensemble_tables import print_views

        print_views(predictor.choose_views(), predictor.experiment.metric.name)
    if not written:
        say("nothing to do: these predictions exist already")
    for path in written:
        tell(path)
    say(f"next: comp ensemble{again(config, sets)}")


def add_training(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("train")(train_command)
    app.command("pseudo")(pseudo_command)
    app.command("boxes")(boxes_command)
    app.command("embed")(embed_command)
    app.command("sweep")(sweep_command)
    app.add_typer(find_app, name="find", no_args_is_help=True)
    app.command("status")(status_command)
    app.command("predict")(predict_command)
