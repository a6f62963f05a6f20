"""`comp submission check | diff | send` and `comp explain`: the file, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comp import files
from comp.data.asked import Asked, read_asked
from comp.data.index import Index
from comp.data.layouts import LAYOUTS, sample_path
from comp.data.match import list_files
from comp.data.tables import read_table
from comp.errors import ConfigError, DataError, SubmissionError, UsageError, first, nearest, pick
from comp.stages.experiment import Experiment, read_test_images, read_train
from comp.submission import Form, Sample, check_submission, make_form, make_sample, read_sample
from comp.submission.diff import Diff, compare_files
from comp.submission.doubt import doubts, earlier
from comp.submission.gate import read_bytes
from comp.submission.masks import mask_form, mask_sample, overlapping
from comp.submission.send import SITES, printed, run

FOLDER = Path("submissions")
_ENDS = (".csv", ".zip", ".coco.json")  # of a submission; its manifest ends in .json


@dataclass(frozen=True)
class Gate:
    """The sample of a competition and how its answers are written."""

    sample: Sample
    form: Form
    asked: Asked | None = None  # of masks: the image and class of each row

    def check(self, path: Path) -> dict[str, tuple[str, ...]]:
        """The columns of a submission; SubmissionError with all for which it would be refused."""
        return check_submission(path, self.sample, self.form)


def open_gate(
    experiment: Experiment,
    test: Index,
    classes: tuple[str, ...],
    codes: tuple[str, ...] | None = None,
) -> Gate:
    """The gate of a competition; without a sample, that of the ids of its test images.

    codes: what a sample of masks calls each class.
    """
    config, path = experiment.config, sample_path(experiment.config.data)
    if experiment.task.spatial:
        data = config.data
        key = data.id
        sample, asked = mask_sample(path, key, test, codes or classes)
        return Gate(sample, mask_form(sample, asked, test, classes, codes or classes, data), asked)
    if path is not None:
        sample = read_sample(path, config.data.id)
    else:
        columns = config.data.target or ("label",)
        sample = make_sample(config.data.id, columns, test.ids)
    form = make_form(
        sample,
        experiment.task,
        classes,
        experiment.metric,
        config.submission.write,
        config.data.separator,
    )
    return Gate(sample, form)


def check_counts(experiment: Experiment) -> None:
    """Raise DataError when the sample asks for another number of images than the test folder holds.

    More images than rows are let through by `submission.extra_images: ignore`.
    """
    data = experiment.config.data
    path = sample_path(data)
    if path is None:
        return
    folder = LAYOUTS[data.layout].test_images(data)
    if not folder.is_dir():
        return  # read_test says so
    listing = list_files(folder, Path(data.root))
    images = len(listing.images)
    if experiment.task.spatial:
        table = read_table(path)
        key = data.id if data.id in table.columns else table.columns[0]
        rows = len(read_asked(table, key, lambda name: bool(listing.find(name))).ids)
    else:
        rows = len(read_sample(path, data.id).ids)
    if images == rows or (images > rows and experiment.config.submission.extra_images == "ignore"):
        return
    advice = (
        "it may be of another stage of the competition; download it again, or choose it as it is "
        "with --set submission.extra_images=ignore"
        if images > rows
        else "images are missing; download and unpack the test set again"
    )
    raise DataError(f"{path}: asks for {rows} images, {folder} holds {images}: {advice}")


def check_file(experiment: Experiment, path: Path) -> tuple[int, list[str]]:
    """Rows and warnings of a submission that would be accepted; SubmissionError for another.

    Shares are compared with the out-of-fold ones where its manifest stands beside it.
    """
    index = read_train(experiment)
    check_counts(experiment)
    test = read_test_images(experiment, index.classes)
    gate = open_gate(experiment, test, index.classes, index.codes)
    table = gate.check(path)
    beside = path.with_suffix(".json")
    manifest = files.read_json(beside, SubmissionError) if beside.is_file() else {}
    found = doubts(
        table,
        read_bytes(path),
        gate.sample,
        gate.form,
        expected=manifest.get("expected_shares"),
        judged_on=int(manifest.get("covered", 0)),
        others=earlier(path.parent, path),
    )
    if gate.asked is not None and experiment.task.link.normalized:
        found += overlapping(table, gate.asked, gate.sample.answers[0])
    if manifest and manifest.get("sha256") != files.digest_file(path):
        found.append(f"not the file that {beside} describes: it was changed after it was written")
    return len(gate.sample.ids), found


def diff_files(one: str, two: str, id_column: str | None) -> Diff:
    """The differences between two submissions, by name or path."""
    return compare_files(find(one), find(two), id_column)


def find(name: str) -> Path:
    """The file of a submission: a path, or a name in submissions/. UsageError for neither."""
    places = [Path(name), FOLDER / name, *(FOLDER / f"{name}{end}" for end in _ENDS)]
    there = [place for place in places if place.is_file()]
    if there:
        return there[0]
    known = sorted(path.stem for path in FOLDER.glob("*.csv"))
    close = nearest(Path(name).stem, known)
    hint = f" Did you mean {close!r}?" if close else ""
    raise UsageError(f"no submission {name!r}; there are: {first(known, 20) or 'none'}.{hint}")


def explain(name: str) -> tuple[dict[str, Any], bool]:
    """The manifest of a submission, and whether the file is still the one that it describes.

    Raises UsageError for no such submission, SubmissionError for one without a manifest.
    """
    path = find(name)
    ends = [end for end in (*_ENDS, ".json") if path.name.endswith(end)]
    beside = path.with_name(path.name.removesuffix(ends[0] if ends else path.suffix) + ".json")
    if not beside.is_file():
        raise SubmissionError(
            f"{path}: has no manifest ({beside}): it was not written by `comp ensemble`, or the "
            "writing was interrupted; make it again"
        )
    manifest = files.read_json(beside, SubmissionError)
    path = beside.with_name(str(manifest.get("file", path.name)))
    return manifest, path.is_file() and manifest.get("sha256") == files.digest_file(path)


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
    path = find(name)
    check_file(experiment, path)
    words = site.command(path, settings.competition, settings.team, message or path.stem)
    return printed(words), run(site, words) if yes else ""
