"""`bundle`, `answer`: an ensemble as a folder that answers new images on any machine."""

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
    """

    path: Path
    bytes: int
    members: pd.DataFrame
    metric: str
    score: float
    half: bool


def bundle(
    name: str,
    workspace: str | Path,
    *,
    out: str | Path | None = None,
    half: bool = False,
    prune: bool = False,
    quiet: bool = False,
) -> BundleResult:
    """Write the ensemble behind the submission `name` as one folder that answers new images.

    out: the folder, below the workspace (bundles/<name> by default); half: as fp16, if the
    out-of-fold score stays; prune: without runs that the honest score does not miss.
    Raises UsageError for no such submission, ConfigError for members that cannot answer new images,
    RunError for a checkpoint that is not the one that the submission was made by.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.shipping.bundle import make_bundle

        place = None if out is None else Path(out)
        made = make_bundle(name, as_folder(workspace), out=place, half=half, prune=prune)
        columns = ("run", "fold", "weight", "tta", "file")
        rows = [{n: getattr(member, n) for n in columns} for member in made.bundle.members]
        return BundleResult(
            path=made.path,
            bytes=made.bytes,
            members=pd.DataFrame(rows, columns=columns),
            metric=made.bundle.metric.name,
            score=made.bundle.scores.honest,
            half=made.half is not None and made.half.stays,
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
    quiet: bool = False,
) -> AnswerResult:
    """Answer the images of a folder with a bundle; a checked submission in the sample's form.

    sample: a sample submission, whose ids are answered; ids: a table of ids, or a .txt with one per
    line; without either, all images. max_minutes: ask less of the ensemble, to be done in time.
    batch: images at once (as in `predict` by default). An image that cannot be read, or is not
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
        )
        bad = pd.DataFrame([*made.unreadable.items()], columns=["id", "reason"])
        return AnswerResult(**{**vars(made), "unreadable": bad})
