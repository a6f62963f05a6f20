"""`bundle`, `answer`, `ship`, `winner`: an ensemble on any machine, and what its judges ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comp.api.steady import as_folder, steady

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BundleResult:
    """A bundle that was written.

    `path`     its folder
    `bytes`    of all its files
    `members`  one row per network: run, fold, weight, tta, file
    `score`    the honest score to expect, in the unit of `metric`
    `half`     whether the weights are fp16
    `zip`      the same as one file, None where it was not asked for
    """

    path: Path
    bytes: int
    members: pd.DataFrame
    metric: str
    score: float
    half: bool
    zip: Path | None


def bundle(
    name: str,
    workspace: str | Path,
    *,
    out: str | Path | None = None,
    half: bool = False,
    prune: bool = False,
    zipped: bool = False,
    quiet: bool = False,
) -> BundleResult:
    """Write the ensemble behind the submission `name` as one folder that answers new images.

    out: the folder, below the workspace (bundles/<name> by default); half: as fp16, if the
    out-of-fold score stays; prune: without runs that the honest score does not miss;
    zipped: also as one file, <folder>.zip.
    Raises UsageError for no such submission, ConfigError for members that cannot answer new images,
    RunError for a checkpoint that is not the one that the submission was made by.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.shipping.bundle import make_bundle

        place = None if out is None else Path(out)
        root = as_folder(workspace)
        made = make_bundle(name, root, out=place, half=half, prune=prune, zipped=zipped)
        columns = ("run", "fold", "weight", "tta", "file")
        rows = [{n: getattr(member, n) for n in columns} for member in made.bundle.members]
        return BundleResult(
            path=made.path,
            bytes=made.bytes,
            members=pd.DataFrame(rows, columns=columns),
            metric=made.bundle.metric.name,
            score=made.bundle.scores.honest,
            half=made.half is not None and made.half.stays,
            zip=made.zip,
        )


@dataclass(frozen=True)
class AnswerResult:
    """A submission that a bundle wrote.

    `path`        the file, which passed the check; `rows` of it
    `images`      how many were answered, by `members` networks, in `seconds`
    `unreadable`  one row per image that got the prior's answer: id, reason
    `dropped`     what was left out for lack of time
    `warnings`    what to look at before it is sent
    """

    path: Path
    rows: int
    images: int
    members: int
    seconds: float
    unreadable: pd.DataFrame
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]


def answer(
    bundle: str | Path,
    images: str | Path,
    out: str | Path = "submission.csv",
    *,
    sample: str | Path | None = None,
    ids: str | Path | None = None,
    max_minutes: float | None = None,
    batch: int | None = None,
    device: str = "auto",
    engine: str = "auto",
    quiet: bool = False,
) -> AnswerResult:
    """Answer the images of a folder with a bundle; a checked submission in the sample's form.

    bundle: its folder or zip.
    sample: a sample submission, whose ids are answered; ids: a table of ids, or a .txt with one per
    line; without either, all images. max_minutes: ask less of the ensemble, to be done in time.
    batch: images at once (as in `predict` by default); engine: torch, onnx or openvino (after
    `export`), or auto, which takes the fastest. An image that cannot be read, or is not
    there, gets the answer of the class prior. A call that was killed goes on where it stopped.
    Raises RunError for what is no bundle, DataError for ids that have no images, SubmissionError
    for a file that would be refused: none is written.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.shipping.answer import answer as run

        made = run(
            Path(bundle),
            Path(images),
            Path(out),
            sample=None if sample is None else Path(sample),
            ids=None if ids is None else Path(ids),
            max_minutes=max_minutes,
            batch=batch,
            device=device,
            engine=engine,
        )
        bad = pd.DataFrame([*made.unreadable.items()], columns=["id", "reason"])
        return AnswerResult(**{**vars(made), "unreadable": bad})


@dataclass(frozen=True)
class ExportResult:
    """A bundle whose networks are there as ONNX too.

    `path`      its folder; `files`: the ONNX files below it, `bytes` together
    `farthest`  the largest difference of an answer to that of torch, on noise
    """

    path: Path
    files: tuple[str, ...]
    farthest: float
    bytes: int


def export(bundle: str | Path, *, quiet: bool = False) -> ExportResult:
    """Write each network of a bundle as ONNX, for onnxruntime, beside its weights.

    Raises UsageError without the packages (`pip install comp[onnx]`) and for images that keep their
    own size, ModelError for a network that torch cannot write, or that answers more than 1e-4 away
    from torch.
    """
    with steady(quiet, network=True):
        from comp.stages.shipping.export import export_onnx

        return ExportResult(**vars(export_onnx(Path(bundle))))


@dataclass(frozen=True)
class ShipResult:
    """A bundle in the form that a judge's machine takes.

    `path`   its folder; `bytes` of all its files, for `target`
    `next`   the commands that send it
    `tried`  the submission that the trial wrote, which passed the check; None without a trial
    `same`   whether the trial wrote the bytes of the submission that the bundle was made from
    """

    target: str
    path: Path
    bytes: int
    next: tuple[str, ...]
    tried: Path | None
    same: bool


def ship(
    target: str,
    bundle: str | Path,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    wheels: bool = True,
    python: str | None = None,
    has: tuple[str, ...] = (),
    images: str | None = None,
    sample: str | None = None,
    max_minutes: float | None = None,
    gpu: bool = True,
    owner: str = "",
    competition: str | None = None,
    quiet: bool = False,
) -> ShipResult:
    """Write a bundle for kaggle, dacon, drivendata, grand-challenge or docker.

    out: the folder (ships/<name>-<target> by default); data: try it as the judge runs it, with this
    folder as the competition's data; wheels: download the packages that the target's image lacks,
    for its `python`; has: further packages of the image; images, sample: where they are below the
    judge's data, as in the config by default; owner, competition: names on the site, for Kaggle.
    Raises UsageError for a name or a folder that cannot be, RunError for what is no bundle,
    CheckError for a trial that fails.
    """
    with steady(quiet, network=True):
        from comp.stages.shipping.ship import ship as run

        made = run(
            target,
            Path(bundle),
            out=None if out is None else Path(out),
            data=None if data is None else Path(data),
            wheels=wheels,
            python=python,
            has=has,
            images=images,
            sample=sample,
            minutes=max_minutes,
            gpu=gpu,
            owner=owner,
            competition=competition,
        )
        tried = made.tried
        return ShipResult(
            target=made.target,
            path=made.path,
            bytes=made.bytes,
            next=made.next,
            tried=None if tried is None else tried.path,
            same=tried is not None and tried.same,
        )


@dataclass(frozen=True)
class WinnerResult:
    """The archive that Kaggle asks of winners.

    `path`  its folder; `zip`: the same as one file
    `open`  how many questions it leaves open, marked with TODO
    """

    path: Path
    zip: Path
    open: int


def winner(
    name: str, workspace: str | Path, *, out: str | Path | None = None, quiet: bool = False
) -> WinnerResult:
    """Write code, settings, trained models and a model summary of the submission `name`.

    out: the folder, below the workspace (winners/<name> by default).
    Raises UsageError for no such submission or a folder that holds something else, and what
    `bundle` raises.
    """
    with steady(quiet, network=True):
        from comp.stages.shipping.winner import make_winner

        made = make_winner(name, as_folder(workspace), out=None if out is None else Path(out))
        return WinnerResult(**vars(made))
