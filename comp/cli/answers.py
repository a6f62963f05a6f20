"""The commands about results: ensemble, submission, explain, board, labels."""

from __future__ import annotations

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
from comp.core.progress import say
from comp.core.terminal import tell

RunsOption = Annotated[
    list[str] | None,
    typer.Option("--runs", metavar="RUN...", help="Names of runs; their folds are the members."),
]
MoreRuns = Annotated[list[str] | None, typer.Argument(metavar="", hidden=True)]
AddOption = Annotated[
    list[Path] | None,
    typer.Option("--add", metavar="CSV", help="Outside predictions: id, and one column per class."),
]

submission_app = typer.Typer(help="Check, compare and send submission files.")
board_app = typer.Typer(help="Compare all runs and ensembles.")


def ensemble_command(
    more: MoreRuns = None,
    runs: RunsOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    vote: Annotated[
        str | None, typer.Option(help="soft, geometric, logit, power2, power4, rank or hard.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="equal, greedy, optimize, climb, or a file of weights."),
    ] = None,
    tune: Annotated[
        bool | None,
        typer.Option("--tune/--no-tune", help="Tune thresholds out of fold.", show_default=False),
    ] = None,
    add: AddOption = None,
    add_kind: Annotated[
        str, typer.Option(help="What --add holds: probs, logits, labels; auto looks.")
    ] = "auto",
    partial: Annotated[bool, typer.Option(help="Leave out unfinished folds.")] = (False),
    out: Annotated[str | None, typer.Option(help="The name of the submission.")] = None,
    tta: Annotated[str | None, typer.Option(help="The same as --set predict.tta=...")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict what is missing, compare votes and weights out of fold, write the submission."""
    names = [*(runs or []), *(more or [])]
    given = {"vote": vote, "weights": weights, "tune": None if tune is None else str(tune).lower()}
    laid = [*(sets or []), *(f"ensemble.{key}={value}" for key, value in given.items() if value)]
    laid += [f"predict.tta={tta}"] if tta else []
    experiment = open_config(config, laid, quiet, runs=names, planned=True)
    from comp.report.console.ensemble_tables import print_ensemble
    from comp.stages.ensemble import ensemble
    from comp.stages.ensembling.result import Request

    request = Request(tuple(names), tuple(add or []), partial, out, add_kind)
    result = ensemble(experiment, request)
    print_ensemble(result, as_json=as_json)
    say(f"wrote {result.path} and {result.manifest}")


def stack_command(
    more: MoreRuns = None,
    runs: RunsOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    kind: Annotated[
        str, typer.Option(help="logistic, ridge, mlp, lightgbm; best compares the first three.")
    ] = "best",
    facts: Annotated[
        bool, typer.Option("--facts", help="Let it see width, height and bytes of the images too.")
    ] = False,
    add: AddOption = None,
    out: Annotated[str | None, typer.Option(help="The name of the table in stacks/.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit a second level over the answers of runs; a table for `comp ensemble --add`."""
    names = [*(runs or []), *(more or [])]
    experiment = open_config(config, sets, quiet, runs=names, planned=True)
    from comp.report.console.ensemble_tables import print_stack
    from comp.stages.ensembling.stack import stack_runs

    made = stack_runs(experiment, names, kind=kind, facts=facts, out=out, added=add or [])
    print_stack(made, as_json=as_json)
    say(f"wrote {made.path}")
    named = "".join(f" --runs {name}" for name in names)
    say(f"next: comp ensemble{named} --add {made.path}")


def neighbours_command(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[str | None, typer.Option(help="The name of the table in stacks/.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer by the nearest training images in what a run's networks see; a table for --add."""
    experiment = open_config(config, sets, quiet, planned=True)
    from comp.report.console.printing import print_json
    from comp.stages.features.neighbours import neighbours

    made = neighbours(experiment, out=out)
    if as_json:
        print_json({**vars(made), "path": str(made.path)})
    say(f"{made.metric} out of fold, raw: {made.score:.4f} (cosines times {made.factor:g})")
    say(f"wrote {made.path}")
    say(f"next: comp ensemble --add {made.path}")


@submission_app.command("check")
def submission_check(
    file: Annotated[Path, typer.Argument(help="The submission.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check a file as the competition would: exit code 3 when it would be refused."""
    from comp.stages.submission import check_file

    rows, warnings = check_file(open_config(config, sets, quiet), file)
    tell(f"{file}: {rows} rows, would be accepted")
    for warning in warnings:
        say(f"warning: {warning}")


@submission_app.command("diff")
def submission_diff(
    one: Annotated[str, typer.Argument(help="A submission, by name or path.")],
    two: Annotated[str, typer.Argument(help="Another one.")],
    id_column: Annotated[str | None, typer.Option("--id", help="The id column.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The rows in which two submissions differ, by class; masks are compared by Dice."""
    from comp.report.console.submission_tables import print_diff
    from comp.stages.submission import diff_files

    print_diff(diff_files(one, two, id_column), as_json=as_json)


@submission_app.command("send")
def submission_send(
    name: Annotated[str, typer.Argument(help="A submission, by name or path.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    message: Annotated[
        str | None, typer.Option("-m", "--message", help="The description on the site.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send it instead of showing the command.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Check a submission and show the command that sends it; with --yes, send it."""
    from comp.stages.submission import send

    command, said = send(open_config(config, sets, quiet), name, message, yes=yes)
    tell(said if yes else command)
    if not yes:
        say("not sent: run this, or repeat with --yes")


def explain_command(
    name: Annotated[str, typer.Argument(help="A submission, by name or path.")],
    as_json: JsonOption = False,
) -> None:
    """Show what a submission is made of: members, weights, rule, scores, versions."""
    from comp.report.console.submission_tables import print_explained
    from comp.stages.submission import explain

    manifest, whole = explain(name)
    print_explained(manifest, whole=whole, as_json=as_json)


@board_app.callback(invoke_without_command=True)
def board_command(
    context: typer.Context,
    picture: Annotated[
        Path | None,
        typer.Option(help="A picture of out-of-fold against leaderboard scores to write."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="A page of the board to write, with links to the pages of runs."),
    ] = None,
    plugins: Annotated[
        bool, typer.Option("--plugins", help="Run the plugin files that configs of runs name.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show all runs and ensembles with out-of-fold, honest and leaderboard scores."""
    if context.invoked_subcommand is not None:
        return
    picture, page = output_file(picture, "--picture"), output_file(page, "--page")
    from comp.report.board import draw_board, print_board
    from comp.stages.board import read_board

    groups = read_board(plugins=plugins)
    print_board(groups, as_json=as_json)
    if picture is not None:
        draw_board(groups, picture)
        say(f"wrote {picture}")
    if page is not None:
        from comp.stages.reporting.board import report_board

        say(f"wrote {report_board(groups, page)}")


@board_app.command("score")
def board_score(
    name: Annotated[str, typer.Argument(help="A submission, by name or path.")],
    value: Annotated[float, typer.Argument(help="Its score on the leaderboard.")],
    private: Annotated[
        bool, typer.Option("--private", help="The score is the private one.")
    ] = False,
) -> None:
    """Record the leaderboard score of a submission."""
    from comp.stages.board import enter_score

    path = enter_score(name, value, private=private)
    say(f"wrote {path}")


def labels_command(
    more: MoreRuns = None,
    runs: RunsOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The table to write; the picture is written beside it.")
    ] = None,
    sheet: Annotated[
        int, typer.Option(min=0, max=400, help="The number of images in the picture.")
    ] = 48,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the training labels that models which never saw them doubt most."""
    names = [*(runs or []), *(more or [])]
    experiment = open_config(config, sets, quiet, runs=names, planned=True)
    from comp.report.console.ensemble_tables import print_issues
    from comp.stages.labels import find_issues

    found = find_issues(experiment, names, out, sheet)
    print_issues(found, as_json=as_json)
    for path in found.written:
        say(f"wrote {path}")


def slides_command(
    place: Annotated[Path, typer.Argument(metavar="FOLDER", help="Slides, or one slide.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    pool: Annotated[str, typer.Option(help="Classification: mean or max of the logits.")] = "mean",
    side: Annotated[
        int | None, typer.Option(min=8, help="Pixels of a tile in the slide; image.size by itself.")
    ] = None,
    overlap: Annotated[float, typer.Option(help="Share of a tile that the next one covers.")] = 0.0,
    least: Annotated[float, typer.Option(help="Leave tiles with less content out.")] = 0.02,
    quiet: QuietOption = False,
) -> None:
    """Answer images that are too large for memory by the tiles of a trained run."""
    experiment = open_config(config, sets, quiet=quiet)
    from comp.stages.shipping.slides import answer_slides

    made = answer_slides(experiment, place, pool=pool, side=side, overlap=overlap, least=least)
    seen, tiles = sum(made.seen), sum(made.tiles)
    say(f"{len(made.ids)} slides: {seen} of {tiles} tiles are not empty; wrote {made.folder}")


def add_answers(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("ensemble")(ensemble_command)
    app.command("stack")(stack_command)
    app.command("neighbours")(neighbours_command)
    app.add_typer(submission_app, name="submission", no_args_is_help=True)
    app.command("explain")(explain_command)
    app.add_typer(board_app, name="board")
    app.command("labels")(labels_command)
    app.command("slides")(slides_command)
