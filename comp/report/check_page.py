"""The page of `comp check`: findings, proposed groups and masks, with pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.errors import CheckError, CompError
from comp.data.images.reading import read_picture_of
from comp.data.index.index import Index
from comp.data.index.sources import Source
from comp.report.overlay import colour_of
from comp.report.page import embedded, masked, shrunk, write_page

_GROUPS, _MEMBERS, _EXAMPLES, _IDS = 120, 14, 6, 300  # shown of each; the JSON has all
_SIDE = 120  # pixels of a picture
_MASKED, _LARGE = 16, 300  # images that are shown with their masks, and their longer side
_LEVELS = ("error", "warning", "note")
_KINDS = {
    "exact": "the same bytes",
    "reencoded": "the same frame saved again",
    "turned": "the same frame rotated or flipped",
    "family": "file names of copies",
    "near": "the same object in another image",
    "shots": "consecutive file numbers",
}

Read = Callable[[Source], np.ndarray[Any, Any]]
Sources = dict[tuple[str, str], Source]  # part (train or test) and id -> files of an image


def write_check_page(
    path: Path,
    name: str,
    record: dict[str, Any],
    train: Index,
    test: Index,
    read: Read = read_picture_of,
    channels: Sequence[dict[str, Any]] = (),
) -> None:
    """Write the page of what a check found; record: see `comp.stages.check.record`; read: the
    picture of an image from its files. channels: see `comp.report.channel_pictures`."""
    sources: Sources = {
        (part, name): index.source(row)
        for part, index in (("train", train), ("test", test))
        for row, name in enumerate(index.ids)
    }
    labels = dict(zip(train.ids, train.label_texts(), strict=True))
    findings = record["findings"]
    by_confidence = sorted(record["proposals"], key=lambda group: -group["confidence"])
    masks = record.get("masks")
    write_page(
        path,
        "check",
        name=name,
        record=record,
        groups=[_group(group, sources, labels, read) for group in _sampled(by_confidence)],
        counts={level: sum(f["level"] == level for f in findings) for level in _LEVELS},
        most=max(record["classes"].values(), default=1) or 1,
        kinds=_KINDS,
        examples=[_examples(finding["ids"], sources, read) for finding in findings],
        max_ids=_IDS,
        channels=channels,
        masked=_masked(train, read) if masks else [],
        legend={name: colour_of(n) for n, name in enumerate(train.classes, 1)} if masks else {},
    )


def _sampled(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All groups, or some from the highest to the lowest confidence."""
    if len(groups) <= _GROUPS:
        return groups
    return [groups[round(k * (len(groups) - 1) / (_GROUPS - 1))] for k in range(_GROUPS)]


def _group(
    group: dict[str, Any], sources: Sources, labels: dict[str, str], read: Read
) -> dict[str, Any]:
    members = [("train", name) for name in group["ids"]] + [("test", n) for n in group["test_ids"]]
    pictures = [
        {
            "caption": name,
            "part": part,
            "label": labels.get(name, "") if part == "train" else "test",
            "src": _thumbnail(sources[part, name], read),
        }
        for part, name in members[:_MEMBERS]
    ]
    return {**group, "pictures": pictures, "more": len(members) - len(pictures)}


def _examples(ids: Iterable[str], sources: Sources, read: Read) -> list[dict[str, str]]:
    """Pictures of the first few images that a finding is about."""
    out = []
    for name in list(ids)[:_EXAMPLES]:
        source = sources.get(("train", name)) or sources.get(("test", name))
        picture = _thumbnail(source, read) if source else ""
        if picture:
            out.append({"caption": name, "src": picture})
    return out


def _thumbnail(source: Source, read: Read) -> str:
    """A small picture of an image; "" where it cannot be read."""
    try:
        return embedded(shrunk(read(source), _SIDE))
    except CheckError:
        return ""


def _masked(train: Index, read: Read) -> list[dict[str, str]]:
    """Images with their masks painted over them."""
    assert train.masks is not None, "there are statistics of masks"
    out = []
    for row in _rows_of_each_class(train):
        try:
            pixels, mask = read(train.source(row)), train.masks.read(row)
        except CompError:  # a finding of its own
            continue
        out.append({"caption": train.ids[row], "src": embedded(masked(pixels, mask, _LARGE))})
    return out


def _rows_of_each_class(train: Index) -> list[int]:
    """Some images of each class, and one with an empty mask."""
    marks, rows = train.labels, list[int]()
    some = max(1, _MASKED // max(1, marks.shape[1]))
    for column in range(marks.shape[1]):
        there = np.setdiff1d(np.flatnonzero(marks[:, column]), rows)
        rows += there[np.linspace(0, len(there) - 1, min(some, len(there))).astype(int)].tolist()
    rows += np.flatnonzero(~marks.any(axis=1))[:1].tolist()
    return rows
