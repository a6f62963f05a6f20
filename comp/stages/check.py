"""`comp check`: every image is measured once, and everything wrong or unusual is listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import comp
from comp.check.audit import audit, measured, summary, unreadable
from comp.check.bag_findings import bag_findings
from comp.check.copy_findings import (
    background_findings,
    copy_findings,
    propose,
    test_groups,
)
from comp.check.depth_findings import depth_findings
from comp.check.duplicates.clusters import LIKELY, CopyLink, find_links, join
from comp.check.file_findings import extra_test_images, images_without_row, table_findings
from comp.check.findings import Finding, by_level
from comp.check.image_stats import measure_blocks, measure_images
from comp.check.shift import find_shift, shift_findings, write_weights
from comp.config.workspace import Workspace
from comp.core import files, progress
from comp.core.errors import DataError
from comp.data.cache.image_range import with_range
from comp.data.folds.groups import FORMAT, Copies, ids_fingerprint, merge, read_groups, write_groups
from comp.data.folds.skipped import Skipped, read_skipped, without, write_skipped
from comp.data.images.pixel_form import form_of
from comp.data.images.reading import read_picture_of, read_pixels
from comp.data.index.index import Index
from comp.data.layouts.embedded_sample import ensure_sample
from comp.data.layouts.layouts import read_index, read_test
from comp.stages.bags import answered_rows, in_bags
from comp.stages.experiment import Experiment
from comp.stages.submission import form_problems


@dataclass(frozen=True)
class Checked:
    """What a check found, and where it wrote it."""

    findings: tuple[Finding, ...]
    copies: Copies
    about: dict[str, Any]
    workspace: Workspace

    @property
    def bad(self) -> bool:
        """Whether training or predicting would be wrong."""
        return any(finding.level == "error" for finding in self.findings)


def check(
    experiment: Experiment, *, accept_groups: bool, skip: bool, allow_extra_images: bool
) -> Checked:
    """Measure every image and write `checks/<name>.json` and `checks/<name>.html`.

    accept_groups: write the proposed groups, which folds keep together from now on. skip: set
    unreadable images aside: training ignores them, and a grey image stands for one of the test set.
    allow_extra_images: the test folder may hold images that the sample submission does not list.
    """
    from comp.report.channel_pictures import channel_pictures
    from comp.report.check_page import write_check_page

    paths, data = experiment.workspace, experiment.data
    ensure_sample(data)
    train, test, findings = _read(experiment)
    if not allow_extra_images:
        findings += extra_test_images(data, test)
    findings += images_without_row(data, train, test)
    image = with_range(experiment.config.image, train, paths.cache)
    findings += depth_findings(train, test, image, paths.cache)
    form = form_of(image)
    sources = [*train.all_sources, *test.all_sources]
    stats = measure_images(sources, paths.cache / "check", form)
    parts = measured(train, test, stats)
    findings += audit(*parts, experiment.config.folds.count)
    if skip:
        findings = _set_aside(findings, paths.skip_csv, unreadable(*parts))
    ids = [*train.ids, *test.ids]
    links = find_links(ids, stats, paths.cache / "check")
    copies, backgrounds = propose(train.ids, test.ids, links)
    about_test = test_groups(len(train), test.ids, links)
    left = without(train, read_skipped(paths.skip_csv).train, paths.skip_csv)
    _, test, left = in_bags(data.bag, (train, test, left), copies, about_test)
    findings += bag_findings(left, test)
    if accept_groups and len(left):
        write_groups(paths.groups_csv, left.ids, merge(left, copies.proposals))
    grouped = _grouped(left, paths.groups_csv)
    findings += copy_findings(train, grouped, test.ids, links, copies)
    findings += background_findings(backgrounds, ids)
    units, copies_only = _units(left, train, ids, links)
    shift = find_shift(parts[0].images, parts[1].images, units, copies_only)
    findings += shift_findings(shift, train.ids, test.ids, paths.weights_csv)
    write_weights(paths.weights_csv, train.ids, shift)
    about = {
        "shift": None if shift is None else [shift.auc, shift.low, shift.high],
        "ids": ids_fingerprint(left),
        "images": left.contents(paths.cache),
        "test_groups": about_test,
        "name": experiment.name,
        **summary(*parts),
    }
    checked = Checked(by_level(findings), copies, about, paths)
    read = partial(read_picture_of, form=form)
    channels = channel_pictures(train, form, data.files, partial(read_pixels, form=form))
    page = paths.check_html, experiment.name, record(checked), train, test, read, channels
    write_check_page(*page)
    files.write_json(paths.check_json, record(checked))
    return checked


def measure_part(experiment: Experiment, part: int, parts: int) -> None:
    """Measure one of so many parts of the images, which `check` then finds measured."""
    train, test, _ = _read(experiment)
    image = with_range(experiment.config.image, train, experiment.workspace.cache)
    sources = [*train.all_sources, *test.all_sources]
    measure_blocks(sources, experiment.workspace.cache / "check", form_of(image), part, parts)


def record(checked: Checked) -> dict[str, Any]:
    """What was found, as JSON values; plans are made with `copies` and `proposals`."""
    return {
        "format": FORMAT,
        "comp": comp.__version__,
        **checked.about,
        "findings": [finding.plain() for finding in checked.findings],
        "copies": [group.plain() for group in checked.copies.copies],
        "proposals": [group.plain() for group in checked.copies.proposals],
    }


def _read(experiment: Experiment) -> tuple[Index, Index, list[Finding]]:
    """Both indexes; an empty one and a finding where one cannot be read."""
    data, task = experiment.data, experiment.task
    empty, findings = Index((), (), ()), list[Finding]()
    try:
        train = read_index(data, task)
    except DataError as problem:
        train = empty
        findings.append(Finding("error", str(problem)))
    try:
        test = read_test(data, task, train.classes)
        findings += table_findings(data)
    except DataError as problem:
        test = empty
        findings.append(Finding("error", str(problem)))
    if len(train) and (len(test) or not task.spatial):
        findings += _form_findings(experiment, train, test, findings)
    return train, test, findings


def _form_findings(
    experiment: Experiment, train: Index, test: Index, before: list[Finding]
) -> list[Finding]:
    """What is wrong with the form of the sample submission, and was not found before."""
    try:
        train, test = answered_rows(
            experiment.config, experiment.task, experiment.data, train, test
        )
    except DataError as problem:
        return [Finding("error", str(problem))]
    problems, doubts = form_problems(experiment, train, test)
    said = {finding.text for finding in before}
    found = [Finding("error", text) for text in problems if text not in said]
    return found + [Finding("warning", text) for text in doubts]


def _set_aside(findings: list[Finding], path: Path, skipped: Skipped) -> list[Finding]:
    """Write the list of unreadable images; the findings, in which these are warnings now."""
    write_skipped(path, skipped)
    gone = {**skipped.train, **skipped.test}
    return [
        replace(f, level="warning", text=f"{f.text} (set aside: {path})")
        if f.level == "error" and len(f.ids) == 1 and f.ids[0] in gone
        else f
        for f in findings
    ]


def _units(
    left: Index, train: Index, ids: Sequence[str], links: Sequence[CopyLink]
) -> tuple[list[int], list[int] | None]:
    """A number for each training and test image, the same for those that show the same and for
    those of one group; and the same without groups, None where there are none."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    together = [cluster.rows for cluster in join(links, len(ids), LIKELY)[0]]
    group = dict(zip(left.ids, left.groups, strict=True)) if left.groups else {}
    members: dict[str, list[int]] = {}
    for row, name in enumerate(train.ids):
        if name in group:
            members.setdefault(group[name], []).append(row)

    def numbers(parts: Sequence[Sequence[int]]) -> list[int]:
        pairs = [(rows[0], row) for rows in parts for row in rows]
        ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        joined = coo_matrix((np.ones(len(pairs)), ends), shape=(len(ids), len(ids)))
        found: list[int] = connected_components(joined, directed=False)[1].tolist()
        return found

    known = [*members.values()]
    return numbers([*together, *known]), numbers(together) if known else None


def _grouped(train: Index, groups_csv: Path) -> Index:
    """The training index with the groups that were accepted."""
    if not groups_csv.is_file() or not len(train):
        return train
    try:
        return replace(train, groups=read_groups(groups_csv, train))
    except DataError as problem:
        progress.say(f"warning: {problem}")
        return train
