"""`comp submission check | diff | send` and `comp explain`: the file, before it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comp.config.schema import DataConfig
from comp.core import files
from comp.core.checksums import digest_file
from comp.core.errors import (
    CompError,
    ConfigError,
    DataError,
    SubmissionError,
    UsageError,
    complain,
    did_you_mean,
    first,
    pick,
)
from comp.core.progress import say
from comp.data.index.file_match import list_files
from comp.data.index.index import Index
from comp.data.layouts.coco_json import Id, image_ids
from comp.data.layouts.layouts import LAYOUTS, sample_ids, sample_path
from comp.stages.experiment import Experiment, read_test_images, read_train
from comp.submission.diff import Diff
from comp.submission.formats import Competition, Format
from comp.submission.gate import diff_submissions, open_format
from comp.submission.names import SUFFIXES, base_name, manifest_path, written_in
from comp.submission.sample_doubts import sample_doubts
from comp.submission.send import SITES, printed, run
from comp.submission.submission_warnings import submission_warnings

FOLDER = "submissions"  # below the workspace


def format_of(
    experiment: Experiment, index: Index, test: Index, file: Path | None = None
) -> Format:
    """How the submissions of an experiment are written, or how `file` was; see `open_format`.

    Without a sample submission, that of the ids of the test images. index: the training images,
    whose classes are answered.
    """
    config = experiment.config
    competition = Competition(
        sample=sample_path(experiment.data),
        data=experiment.data,
        task=experiment.task,
        metric=experiment.metric,
        test=test,
        classes=index.classes,
        codes=index.codes or index.classes,
        write=config.submission.write,
        coco_numbers=coco_numbers(experiment.data),
        empty=config.submission.empty,
        likely=config.submission.likely,
        decimals=config.submission.decimals,
        boxes=config.submission.boxes,
    )
    return open_format(competition, file)


def coco_numbers(data: DataConfig) -> dict[str, Id]:
    """COCO's id of each test image, where a json of the test set is known."""
    path = Path(data.root) / data.test_answers if data.test_answers else None
    return image_ids(path) if path is not None and path.suffix == ".json" else {}


def check_counts(experiment: Experiment) -> None:
    """Raise DataError when the sample has another number of images than the test folder.

    More images than rows are let through by `submission.extra_images: ignore`.
    """
    data = experiment.data
    path = sample_path(data)
    if path is None:
        return
    folder = LAYOUTS[data.layout].test_images(data)
    if not folder.is_dir():
        return  # read_test says so
    listing = list_files(folder, Path(data.root))
    images, rows = len(listing.images), len(sample_ids(data, experiment.task, listing)[0])
    if images == rows or (images > rows and experiment.config.submission.extra_images == "ignore"):
        return
    advice = (
        "it may be of another stage of the competition; download it again, or accept it as it is "
        "with --set submission.extra_images=ignore"
        if images > rows
        else "images are missing; download and unpack the test set again"
    )
    raise DataError(f"{path}: asks for {rows} images, {folder} holds {images}: {advice}")


def form_problems(experiment: Experiment, index: Index, test: Index) -> tuple[list[str], list[str]]:
    """What in the sample submission would keep an answer from being written, and what looks odd."""
    try:
        file_format = format_of(experiment, index, test)
    except CompError as problem:
        return [str(problem)], []
    return [], sample_doubts(file_format)


def check_form(experiment: Experiment, index: Index) -> None:
    """Raise DataError with all for which no submission could be written, before training.

    Nothing is asked of a test set that is not there: training needs none. index: the training
    images.
    """
    try:
        sample_path(experiment.data)
    except DataError as problem:
        say(f"warning: {problem}; it is needed for `comp ensemble` only")
        return
    if not LAYOUTS[experiment.data.layout].test_images(experiment.data).is_dir():
        return
    complaints: list[str] = []
    test = Index((), (), index.classes)
    try:
        test = read_test_images(experiment, index.classes)
        check_counts(experiment)
    except DataError as problem:
        complaints.append(str(problem))
    if len(test) or not experiment.task.spatial:
        problems, doubts = form_problems(experiment, index, test)
        complaints += problems
        for doubt in doubts:
            say(f"warning: {doubt}")
    mend = "mend it before training (`comp check` says more)"
    complain(DataError, f"{experiment.name}: no submission could be written; {mend}:", complaints)


def check_file(experiment: Experiment, path: Path) -> tuple[int, list[str]]:
    """Rows and warnings of a submission that would be accepted; SubmissionError for another.

    Shares are compared with the out-of-fold ones where its manifest is beside it.
    """
    index = read_train(experiment)
    check_counts(experiment)
    test = read_test_images(experiment, index.classes)
    file_format = format_of(experiment, index, test, path)
    beside = manifest_path(path)
    manifest = files.read_json(beside, SubmissionError) if beside.is_file() else {}
    covered = int(manifest.get("covered", 0))
    found = submission_warnings(path, file_format, manifest.get("expected_shares"), covered)
    if manifest and manifest.get("sha256") != digest_file(path):
        found.append(f"not the file that {beside} describes: it was changed after it was written")
    return len(file_format.sample.ids), found


def diff_files(one: str, two: str, id_column: str | None, root: Path = Path()) -> Diff:
    """The differences between two submissions, by name or path."""
    return diff_submissions(find(one, root), find(two, root), id_column)


def find(name: str, root: Path = Path()) -> Path:
    """The file of a submission: a path, or a name in submissions/ of the workspace `root`.

    Raises UsageError for neither.
    """
    folder = root / FOLDER
    places = [root / name, folder / name, *(folder / f"{name}{end}" for end in SUFFIXES)]
    found = [place for place in places if place.is_file()]
    if found:
        return found[0]
    known = sorted({base_name(path) for path in written_in(folder)})
    hint = did_you_mean(base_name(Path(name)), known)
    raise UsageError(f"no submission {name!r}; there are: {first(known, 20) or 'none'}.{hint}")


def explain(name: str, root: Path = Path()) -> tuple[dict[str, Any], bool]:
    """The manifest of a submission, and whether the file is still the one that it describes.

    Raises UsageError for no such submission, SubmissionError for one without a manifest.
    """
    path = find(name, root)
    beside = manifest_path(path)
    if not beside.is_file():
        raise SubmissionError(
            f"{path}: has no manifest ({beside}): it was not written by `comp ensemble`, or the "
            "writing was interrupted; make it again"
        )
    manifest = files.read_json(beside, SubmissionError)
    path = beside.with_name(str(manifest.get("file", path.name)))
    return manifest, path.is_file() and manifest.get("sha256") == digest_file(path)


def send(experiment: Experiment, name: str, message: str | None, *, yes: bool) -> tuple[str, str]:
    """The command that sends a submission, and what the site said; nothing where it is only shown.

    The file passes the gate first. Raises ConfigError without `submission.site` and
    `submission.competition`, or where the program or token is missing.
    """
    settings = experiment.config.submission
    if settings.site is None or settings.competition is None:
        raise ConfigError(
            "where to? Set submission.site (kaggle or dacon) and submission.competition (Kaggle: "
            "the name in its address; Dacon: its number)"
        )
    site = pick(SITES, settings.site, "submission.site")
    path = find(name, experiment.workspace.root)
    check_file(experiment, path)
    words = site.command(path, settings.competition, settings.team, message or base_name(path))
    return printed(words), run(site, words) if yes else ""
