"""The commands that leave the workspace: bundle, answer, ship, winner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comp.cli.options import JsonOption, QuietOption
from comp.core.errors import UsageError
from comp.core.progress import be_quiet, say
from comp.core.terminal import tell


def bundle_command(
    name: Annotated[str, typer.Argument(help="A submission of comp ensemble, by name or path.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write.", show_default="bundles/<name>")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="fp16 weights, if the out-of-fold score stays.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Leave out runs that the honest score does not miss.")
    ] = False,
    zipped: Annotated[bool, typer.Option("--zip", help="Write it as one file, too.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write the ensemble behind a submission as one folder that answers new images anywhere."""
    be_quiet(quiet)
    _find(name)
    from comp.stages.shipping.bundle import make_bundle

    made = make_bundle(name, out=out, half=half, prune=prune, zipped=zipped)
    tell(f"{made.path}: {len(made.bundle.members)} networks, {made.bytes / 1e6:.1f} MB")
    if made.zip is not None:
        tell(f"{made.zip}: the same as one file, {made.zip.stat().st_size / 1e6:.1f} MB")
    say(f"next: comp answer {made.path} --images FOLDER --out submission.csv")


def answer_command(
    bundle: Annotated[Path, typer.Argument(help="A folder or zip that comp bundle wrote.")],
    images: Annotated[Path, typer.Option(help="The folder of the images.")],
    out: Annotated[Path, typer.Option(help="The submission to write.")] = Path("submission.csv"),
    sample: Annotated[
        Path | None, typer.Option(help="The sample submission; its ids are answered.")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="A table with the ids, or a .txt with one per line.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.05, help="Ask less of the ensemble to be done in time.")
    ] = None,
    batch: Annotated[
        str, typer.Option(help="Images at once; auto: as in comp predict, less if memory is full.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    engine: Annotated[
        str,
        typer.Option(help="torch, onnx, openvino (both after comp export), or auto: the fastest."),
    ] = "auto",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer new images with a bundle and write a checked submission; no plan, no training data."""
    from comp.report.console.submission_tables import print_answered
    from comp.stages.shipping.answer import answer

    be_quiet(quiet)
    made = answer(
        bundle,
        images,
        out,
        sample=sample,
        ids=ids,
        max_minutes=max_minutes,
        batch=_batch(batch),
        device=device,
        engine=engine,
    )
    print_answered(made, as_json=as_json)


def ship_command(
    target: Annotated[
        str, typer.Argument(help="kaggle, dacon, drivendata, grand-challenge or docker.")
    ],
    bundle: Annotated[Path, typer.Argument(help="A folder or zip that comp bundle wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write.", show_default="ships/<name>-<target>")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--try", help="Run it as the judge does, on this folder of data."),
    ] = None,
    owner: Annotated[
        str, typer.Option(envvar="KAGGLE_USERNAME", help="Kaggle: your name on the site.")
    ] = "",
    competition: Annotated[
        str | None,
        typer.Option(help="Its name on the site.", show_default="submission.competition"),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="The images, below the judge's data.", show_default="as in the config"),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(help="The sample, below the judge's data.", show_default="as in the config"),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(min=0.05, help="The limit of time.", show_default="that of the target"),
    ] = None,
    wheels: Annotated[
        bool, typer.Option("--wheels/--no-wheels", help="Download what the target's image lacks.")
    ] = True,
    python: Annotated[
        str | None, typer.Option(help="The target's Python.", show_default="as known, or this")
    ] = None,
    has: Annotated[
        list[str] | None, typer.Option(help="A further package of the target's image; repeatable.")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu/--no-gpu", help="Kaggle: ask for a GPU.")] = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a bundle in the form that a judge's machine takes; --try runs it as the judge does."""
    from comp.report.console.submission_tables import print_shipped
    from comp.stages.shipping.ship import ship

    be_quiet(quiet)
    made = ship(
        target,
        bundle,
        out=out,
        data=data,
        wheels=wheels,
        python=python,
        has=tuple(has or ()),
        images=images,
        sample=sample,
        minutes=max_minutes,
        gpu=gpu,
        owner=owner,
        competition=competition,
    )
    print_shipped(made, as_json=as_json)


def export_command(
    bundle: Annotated[Path, typer.Argument(help="A folder that comp bundle wrote.")],
    onnx: Annotated[
        bool, typer.Option("--onnx", help="As ONNX, for onnxruntime; the only form so far.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write the networks of a bundle in another form, which may be faster on a CPU."""
    be_quiet(quiet)
    if not onnx:
        raise UsageError("comp export: say which form; there is --onnx")
    from comp.stages.shipping.export import export_onnx

    made = export_onnx(bundle)
    tell(
        f"{made.path}: {len(made.files)} networks as ONNX, {made.bytes / 1e6:.1f} MB; their "
        f"answers are within {made.farthest:.1e} of torch"
    )
    say(f"next: comp answer {made.path} --images FOLDER  # takes the faster engine")


def winner_command(
    name: Annotated[str, typer.Argument(help="A submission of comp ensemble, by name or path.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write.", show_default="winners/<name>")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write the archive that Kaggle asks of winners: code, settings, models, a model summary."""
    be_quiet(quiet)
    _find(name)
    from comp.stages.shipping.winner import make_winner

    made = make_winner(name, out=out)
    tell(f"{made.path}: {made.open} questions are left open, marked with TODO")
    tell(f"{made.zip}: the same as one file, {made.zip.stat().st_size / 1e6:.1f} MB")
    say(f"next: answer the questions in {made.path}/model_summary.md and README.md")


def _find(name: str) -> None:
    """UsageError for no submission, before what imports torch is imported."""
    from comp.stages.submission import find

    find(name)


def _batch(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--batch {text}: give auto, or how many images at once")
    return int(text)


def add_shipping(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("bundle")(bundle_command)
    app.command("answer")(answer_command)
    app.command("export")(export_command)
    app.command("ship")(ship_command)
    app.command("winner")(winner_command)
