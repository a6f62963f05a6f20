"""`comp submission check | diff | send` and `comp explain`: the file, before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comp.config.schema import DataConfig
from comp.core import checksums, files
from comp.core.errors import (
    ConfigError,
    DataError,
    SubmissionError,
    UsageError,
    did_you_mean,
    first,
    pick,
)
from comp.data.images.decode import image_size
from comp.data.index.file_match import list_files
from comp.data.index.index import Index
from comp.data.index.sample_rows import read_asked
from comp.data.index.tables import read_table
from comp.data.layouts.coco import image_ids
from comp.data.layouts.layouts import LAYOUTS, sample_path
from comp.stages.experiment import Experiment, read_test_images, read_train
from comp.submission import Form, Sample, check_submission, make_form, make_sample, read_sample
from comp.submission.diff import Diff, compare_files
from comp.submission.gate import read_bytes
from comp.submission.mask_diff import MaskDiff, compare_masks
from comp.submission.mask_reading import MaskReader, is_table
from comp.submission.masks import mask_form, mask_sample, overlapping
from comp.submission.send import SITES, printed, run
from comp.submission.submission_warnings import doubts, repeats
from comp.submission.write import ENDS, base_name, manifest_path, written_in

FOLDER = "submissions"  # of a workspace


@dataclass(frozen=True)
class Gate:
    """The sample of a competition and how its answers are written.

    `masks`  where answers are masks: what each row asks for, and how other forms are read
    """

    sample: Sample
    form: Form
    masks: MaskReader | None = None

    def check(self, path: Path) -> dict[str, tuple[str, ...]]:
        """The columns of a submission; SubmissionError with all for which it would be refused."""
        if self.masks is None or is_table(path):
            return check_submission(path, self.sample, self.form)
        return {self.sample.answers[0]: tuple(self.masks.cells(path))}

    def judge(
        self, path: Path, expected: Mapping[str, float] | None = None, judged_on: int = 0
    ) -> list[str]:
        """What to look at before a submission is sent, a sentence each; raises as `check` does.

        expected: the share of each class in the out-of-fold answers, of `judged_on` images.
        """
        table = self.check(path)
        content = read_bytes(path) if is_table(path) else None
        found = doubts(
            table, content, self.sample, self.form, expected=expected, judged_on=judged_on
        )
        if self.masks is not None and self.masks.one:
            found += overlapping(table, self.masks.asked, self.sample.answers[0])
        return found + repeats(path)


def open_gate(
    experiment: Experiment,
    test: Index,
    classes: tuple[str, ...],
    codes: tuple[str, ...] | None = None,
    *,
    table: bool = True,
) -> Gate:
    """The gate of a competition; without a sample, that of the ids of its test images.

    codes: what a sample of masks calls each class. table: False for masks that are not written as
    rows of a sample.
    """
    config, path = experiment.config, sample_path(experiment.data)
    if experiment.task.spatial:
        data, codes = experiment.data, codes or classes
        sample, asked = mask_sample(path if table else None, data.id, test, codes)
        place = {name: row for row, name in enumerate(test.ids)}
        reader = MaskReader(
            asked,
            codes,
            classes,
            experiment.task.link.normalized,
            lambda name: image_size(test.paths[place[name]]),
            {} if table else coco_numbers(data),
            data.rle_order,
        )
        return Gate(sample, mask_form(sample, asked, test, classes, codes, data), reader)
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
    data = experiment.data
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
    gate = open_gate(experiment, test, index.classes, index.codes, table=is_table(path))
    beside = manifest_path(path)
    manifest = files.read_json(beside, SubmissionError) if beside.is_file() else {}
    judged_on = int(manifest.get("covered", 0))
    found = gate.judge(path, manifest.get("expected_shares"), judged_on)
    if manifest and manifest.get("sha256") != checksums.digest_file(path):
        found.append(f"not the file that {beside} describes: it was changed after it was written")
    return len(gate.sample.ids), found


def coco_numbers(data: DataConfig) -> dict[str, int]:
    """COCO's number of each test image, where a json of the test set is known."""
    path = Path(data.root) / data.test_answers if data.test_answers else None
    return image_ids(path) if path is not None and path.suffix == ".json" else {}


def diff_files(one: str, two: str, id_column: str | None, root: Path = Path()) -> Diff | MaskDiff:
    """The differences between two submissions of the workspace `root`, by name or path."""
    paths = find(one, root), find(two, root)
    return compare_masks(*paths, id_column) or compare_files(*paths, id_column)


def find(name: str, root: Path = Path()) -> Path:
    """The file of a submission: a path below the workspace `root`, or a name in its submissions/.

    Raises UsageError for neither.
    """
    folder = root / FOLDER
    places = [root / name, folder / name, *(folder / f"{name}{end}" for end in ENDS)]
    there = [place for place in places if place.is_file()]
    if there:
        return there[0]
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
    return manifest, path.is_file() and manifest.get("sha256") == checksums.digest_file(path)


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
