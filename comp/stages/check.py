"""`comp check`: every image is looked at once, and what is wrong or odd is told, all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import comp
from comp.check import audit
from comp.check.audit import Finding
from comp.check.duplicates.clusters import Cluster, find_links
from comp.check.image_stats import Facts, look
from comp.check.mask_stats import look_at_masks, mask_findings, mask_statistics
from comp.config.workspace import Workspace
from comp.core import files, progress
from comp.core.errors import DataError, first
from comp.data.folds.groups import (
    FORMAT,
    Copies,
    Skipped,
    ids_fingerprint,
    merge,
    read_groups,
    read_skipped,
    without,
    write_groups,
    write_skipped,
)
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.tables import read_table
from comp.data.layouts.embedded_sample import ensure_sample
from comp.data.layouts.layouts import LAYOUTS, read_index, read_test, sample_path, test_folder
from comp.stages.experiment import Experiment

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Checked:
    """What a check found, and where it wrote it."""

    findings: tuple[Finding, ...]
    copies: Copies
    about: dict[str, Any]
    workspace: Workspace

    @property
    def bad(self) -> bool:
        """Whether training or answering would be wrong."""
        return any(finding.level == "error" for finding in self.findings)


def check(
    experiment: Experiment, *, accept_groups: bool, skip: bool, allow_unasked: bool
) -> Checked:
    """Look at every image and write `checks/<name>.json` and `checks/<name>.html`.

    accept_groups: write the proposed groups, to be obeyed from now on. skip: set unreadable images
    aside: training goes without them, a test image is answered as a grey one. allow_unasked: test
    images that the sample submission does not ask for are meant to be there.
    """
    from comp.report.check_page import write_check_page

    paths = experiment.workspace
    ensure_sample(experiment.data)
    train, test, findings = _read(experiment)
    if not allow_unasked:
        findings += _unasked(experiment, test)
    findings += _in_no_row(experiment, train, test)
    facts = look([*train.paths, *test.paths], paths.cache / "check")
    parts = (
        audit.pick_rows(facts, np.arange(len(train))),
        audit.pick_rows(facts, np.arange(len(train), len(facts))),
    )
    findings += _findings(experiment, train, test, parts)
    masks = look_at_masks(train) if train.masks is not None and len(train) else None
    if masks is not None:
        findings += mask_findings(train, masks, parts[0].readable)
    if skip:
        findings = _set_aside(findings, paths.skip_csv, _unreadable(train, test, parts))
    links = find_links([*train.ids, *test.ids], facts, paths.cache / "check")
    copies, backgrounds = audit.propose(train.ids, test.ids, links)
    left = without(train, read_skipped(paths.skip_csv).train, paths.skip_csv)
    if accept_groups and len(left):
        write_groups(paths.groups_csv, left.ids, merge(left, copies.proposals))
    findings += audit.copy_findings(
        train, _grouped(left, paths.groups_csv), test.ids, links, copies
    )
    findings += _too_large(backgrounds, [*train.ids, *test.ids])
    checked = Checked(
        tuple(sorted(findings, key=lambda finding: audit.LEVELS.index(finding.level))),
        copies,
        {
            "ids": ids_fingerprint(left),
            **_about(experiment, train, test, parts),
            "masks": None if masks is None else mask_statistics(train, masks),
        },
        paths,
    )
    write_check_page(paths.check_html, experiment.name, record(checked), train, test)
    files.write_json(paths.check_json, record(checked))
    return checked


def record(checked: Checked) -> dict[str, Any]:
    """What was found, as JSON values; `copies` and `proposals` are read by the planner."""
    return {
        "format": FORMAT,
        "comp": comp.__version__,
        **checked.about,
        "findings": [finding.plain() for finding in checked.findings],
        "copies": [group.plain() for group in checked.copies.copies],
        "proposals": [group.plain() for group in checked.copies.proposals],
    }


def _read(experiment: Experiment) -> tuple[Index, Index, list[Finding]]:
    """Both indexes; an empty one and the complaints where one cannot be read."""
    data, task = experiment.data, experiment.task
    empty, findings = Index((), (), ()), list[Finding]()
    try:
        train = read_index(data, task)
    except DataError as problem:
        train = empty
        findings.append(Finding("error", str(problem)))
    try:
        test = read_test(data, task, train.classes)
        findings += _forms(experiment)
    except DataError as problem:
        test = empty
        findings.append(Finding("error", str(problem)))
    return train, test, findings


def _unasked(experiment: Experiment, test: Index) -> Iterator[Finding]:
    """Test images that the sample submission does not ask for: it may be an old one."""
    data = experiment.data
    folder, train = test_folder(data), Path(data.root) / data.train_images
    overlap = folder.resolve().is_relative_to(train.resolve()) or train.resolve().is_relative_to(
        folder.resolve()
    )
    if overlap or not len(test) or sample_path(data) is None:
        return
    asked = {path.resolve() for path in test.paths}
    listing = file_match.list_files(folder, Path(data.root))
    extra = [name for name, path in listing.images if path.resolve() not in asked]
    if extra:
        yield Finding(
            "error",
            f"the sample submission asks for {len(test)} images, {folder} holds "
            f"{len(listing.images)}: is it an old one? Not asked for: {first(extra)}. If it is "
            "meant so: --allow-unasked",
        )


def _in_no_row(experiment: Experiment, train: Index, test: Index) -> Iterator[Finding]:
    """Images beside those of training that no row of the table names."""
    data = experiment.data
    folder = Path(data.root) / data.train_images
    if not LAYOUTS[data.layout].named or not len(train):
        return
    known = {*train.paths, *test.paths}
    listing = file_match.list_files(folder, Path(data.root))
    extra = tuple(name for name, path in listing.images if path not in known)
    if extra:
        text = f"{len(extra)} images in {folder} are in no row of {data.train_csv}: {first(extra)}"
        yield Finding("note", text, extra)


def _forms(experiment: Experiment) -> Iterator[Finding]:
    """Tables that are written in another way than most."""
    data = experiment.data
    sample = sample_path(data)
    for path in (Path(data.root) / data.train_csv, *([sample] if sample else [])):
        if not path.is_file():
            continue
        form = read_table(path).form
        odd = [f"in {form.encoding}"] if form.encoding != "utf-8" else []
        odd += ["with a byte order mark"] if form.bom else []
        odd += ["with CRLF"] if form.newline == "\r\n" else []
        odd += [f"cut at {form.delimiter!r}"] if form.delimiter != "," else []
        if odd:
            yield Finding("note", f"{path} is written {', '.join(odd)}")


def _findings(
    experiment: Experiment, train: Index, test: Index, parts: tuple[Facts, Facts]
) -> Iterator[Finding]:
    yield from audit.file_findings("training", train, parts[0])
    yield from audit.file_findings("test", test, parts[1])
    if len(train):
        yield from audit.label_findings(train, experiment.config.folds.count)
        if train.masks is None:
            yield from audit.betrayal_findings(train, parts[0])
    yield from audit.both_findings(train, test, parts[0].digest, parts[1].digest)


def _unreadable(train: Index, test: Index, parts: tuple[Facts, Facts]) -> Skipped:
    found = [
        {index.ids[row]: str(facts.problem[row]) for row in np.flatnonzero(~facts.readable)}
        for index, facts in zip((train, test), parts, strict=True)
    ]
    return Skipped(*found)


def _set_aside(findings: list[Finding], path: Path, skipped: Skipped) -> list[Finding]:
    """Write down the unreadable images; the findings, in which they are no errors any more."""
    write_skipped(path, skipped)
    gone = {**skipped.train, **skipped.test}
    return [
        replace(f, level="warning", text=f"{f.text} (set aside: {path})")
        if f.level == "error" and len(f.ids) == 1 and f.ids[0] in gone
        else f
        for f in findings
    ]


def _grouped(train: Index, groups_csv: Path) -> Index:
    """The training index with the groups that were accepted."""
    if not groups_csv.is_file() or not len(train):
        return train
    try:
        return replace(train, groups=read_groups(groups_csv, train))
    except DataError as problem:
        progress.say(f"warning: {problem}")
        return train


def _too_large(backgrounds: list[Cluster], ids: list[str]) -> Iterator[Finding]:
    for cluster in backgrounds:
        names = tuple(ids[row] for row in cluster.rows)
        yield Finding(
            "note",
            f"{len(names)} images share a background or a frame, not proposed as a group: "
            f"{first(names, 3)}",
            names,
        )


def _about(
    experiment: Experiment, train: Index, test: Index, parts: tuple[Facts, Facts]
) -> dict[str, Any]:
    """Counts and statistics, as JSON values."""
    marks = train.cells if len(train) else np.zeros((0, 0), np.int64)
    return {
        "name": experiment.name,
        "classes": dict(zip(train.classes, marks.sum(axis=0).tolist(), strict=True)),
        "together": (marks.T @ marks).tolist()
        if train.target is not None and train.target.ndim == 2
        else None,
        "train": _statistics(train, parts[0]),
        "test": _statistics(test, parts[1]),
    }


def _statistics(index: Index, facts: Facts) -> dict[str, Any]:
    good = facts.readable
    sizes = facts.size[good]
    mean = facts.mean[good].mean(axis=0) if good.any() else np.zeros(3)
    square = (facts.std[good] ** 2 + facts.mean[good] ** 2).mean(axis=0) if good.any() else mean
    quantiles = (
        np.percentile(sizes, [0, 50, 100], axis=0).astype(int).tolist() if good.any() else []
    )
    return {
        "images": len(index),
        "unreadable": int((~good).sum()),
        "width, height, bytes: least, median, most": quantiles,
        "formats": _counted(facts.header[good, 0]),
        "modes": _counted(facts.header[good, 1]),
        "EXIF orientations": _counted(facts.header[good, 2]),
        "cameras": _counted(facts.header[good, 3]),
        "channel means": [round(float(value), 4) for value in mean],
        "channel deviations": [
            round(float(v), 4) for v in np.sqrt(np.maximum(0, square - mean**2))
        ],
    }


def _counted(values: Array) -> dict[str, int]:
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:20]
    return {str(names[k]) or "none": int(counts[k]) for k in order}
