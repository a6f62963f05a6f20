"""What is wrong with a data set, or odd about it, as findings: of its files, labels and copies.

A finding is an `error` where training or answering would be wrong, a `warning` where the score
would mislead, a `note` where it is good to know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp.check.duplicates.clusters import CERTAIN, LIKELY, Cluster, Link, join
from comp.check.image_stats import Facts
from comp.check.leakage import betrayals
from comp.core.errors import first
from comp.data.folds.groups import Copies, Group
from comp.data.index.file_match import spelling
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]

LEVELS = ("error", "warning", "note")
_SMALL, _LONG = 16, 8.0  # pixels of the shorter side; longer side over shorter side
_RARE = 5  # images of a class, below which folds cannot all have one


@dataclass(frozen=True)
class Finding:
    """`level` is one of LEVELS; `text` a sentence; `ids` the images that it is about."""

    level: str
    text: str
    ids: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"level": self.level, "text": self.text, "ids": list(self.ids)}


def file_findings(part: str, index: Index, facts: Facts) -> Iterator[Finding]:
    """Files that cannot be read, and odd ones. part: "training" or "test"."""
    for row in np.flatnonzero(~facts.readable):
        name = index.ids[row]
        yield Finding("error", f"{part} image {name!r}: {facts.problem[row]}", (name,))
    good = np.flatnonzero(facts.readable)
    short, long = facts.size[good, :2].min(axis=1), facts.size[good, :2].max(axis=1)
    yield from _odd(part, index, good[short < _SMALL], f"are smaller than {_SMALL} pixels")
    yield from _odd(part, index, good[long > _LONG * short], "are very long and narrow")
    form, mode, orientation, _ = facts.header[good].T
    deep = [value.startswith(("I;16", "I")) for value in mode]
    yield from _odd(part, index, good[np.array(deep, dtype=bool)], "have 16 bits (8 are kept)")
    clear = [value in ("LA", "RGBA", "PA", "La", "RGBa") for value in mode]
    yield from _odd(
        part, index, good[np.array(clear, dtype=bool)], "have transparency (shown white)"
    )
    turned = [value not in ("", "1", "0") for value in orientation]
    yield from _odd(
        part, index, good[np.array(turned, dtype=bool)], "are turned upright by EXIF data"
    )
    other = [bool(spelling(*pair)) for pair in zip(index.ids, index.paths, strict=True)]
    yield from _odd(
        part, index, np.flatnonzero(other), "are called otherwise on the disk than by their id"
    )
    named = [
        _FORMATS.get(index.paths[row].suffix.lower(), form_) != form_
        for row, form_ in zip(good, form, strict=True)
    ]
    yield from _odd(
        part, index, good[np.array(named, dtype=bool)], "have a suffix of another format"
    )


_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".gif": "GIF",
}


def _odd(part: str, index: Index, rows: Array, what: str) -> Iterator[Finding]:
    ids = tuple(index.ids[row] for row in rows)
    if ids:
        yield Finding("note", f"{len(ids)} {part} images {what}: {first(ids, 3)}", ids)


def both_findings(train: Index, test: Index, digests: Array, asked: Array) -> Iterator[Finding]:
    """Ids of both parts: an error where the files have the same bytes, else a warning.

    digests: (N,) text, of the files of the training images; asked: (M,), of the test images.
    """
    row = {name: place for place, name in enumerate(train.ids)}
    both = [(row[name], place) for place, name in enumerate(test.ids) if name in row]
    same = [(a, b) for a, b in both if digests[a] == asked[b] not in _NOTHING]
    other = [pair for pair in both if pair not in {*same}]
    for level, pairs, what in (
        ("error", same, "with the same bytes: take them out of the training table"),
        ("warning", other, "of different files: it is well where each folder has its own names"),
    ):
        if pairs:
            files = [f"{train.paths[a]} = {test.paths[b]}" for a, b in pairs]
            ids = tuple(train.ids[a] for a, _ in pairs)
            text = f"{len(ids)} ids are training ids and test ids, {what}: {first(files, 3)}"
            yield Finding(level, text, ids)


_NOTHING = ("", hashlib.sha256(b"").hexdigest())  # of a file that cannot be opened, of an empty one


def label_findings(index: Index, folds: int) -> Iterator[Finding]:
    """Rare classes, class names that look like one, labels that say the same."""
    marks = index.cells
    counts = marks.sum(axis=0)
    rare = [
        f"{n} ({c})" for n, c in zip(index.classes, counts, strict=True) if c < max(_RARE, folds)
    ]
    if rare:
        yield Finding("warning", f"classes with few images, for {folds} folds: {first(rare)}")
    alike: dict[str, list[str]] = {}
    for name in index.classes:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            yield Finding(
                "warning", f"class names that differ in case or spaces only: {first(names)}"
            )
    if index.labels.ndim == 2:
        yield from _column_findings(index, marks)


def _column_findings(index: Index, marks: Array) -> Iterator[Finding]:
    for column, count in enumerate(marks.sum(axis=0).tolist()):
        if count == 0 or (count == len(marks) and index.masks is None):
            says = "no image" if count == 0 else "every image"
            yield Finding("warning", f"{says} has the label {index.classes[column]!r}")
    same = [
        f"{index.classes[a]} = {index.classes[b]}"
        for b in range(marks.shape[1])
        for a in range(b)
        if marks[:, a].sum() > 0 and (marks[:, a] == marks[:, b]).all()
    ]
    if same and index.masks is None:
        yield Finding("warning", f"labels that always stand together: {first(same)}")
    none = tuple(name for name, row in zip(index.ids, marks, strict=True) if not row.any())
    if none:
        what = "have no label" if index.masks is None else "have nothing marked on them"
        yield Finding("note", f"{len(none)} training images {what}: {first(none, 3)}", none)


def betrayal_findings(index: Index, facts: Facts) -> Iterator[Finding]:
    """Classes that one trait of the file tells, without a look at what it shows."""
    good = np.flatnonzero(facts.readable)
    paths = tuple(index.paths[row] for row in good)
    for found in betrayals(pick_rows(facts, good), paths, index.classes, index.cells[good]):
        yield Finding(
            "warning",
            f"class {found.name!r} is separable by its {found.trait} alone ({found.how}; "
            f"{found.right:.0%} right): a network may learn that and nothing else",
        )


def pick_rows(facts: Facts, rows: Array) -> Facts:
    """The facts of some images, without their local features."""
    none = np.zeros(len(rows), np.int64)
    per_image = ("problem", "digest", "size", "header", "mean", "std", "thumbs")
    cut = {name: getattr(facts, name)[rows] for name in per_image}
    return replace(facts, **cut, counts=none, points=facts.points[:0], words=facts.words[:0])


def propose(
    train: Sequence[str], test: Sequence[str], links: Sequence[Link]
) -> tuple[Copies, list[Cluster]]:
    """The copies and the proposed groups; and the clusters that are too large to be proposed.

    Rows of the links: the training images, then the test images. A group has two training ids.
    What is certain is proposed even within a background that many share: a plan may not part it.
    """
    count = len(train) + len(test)
    certain, _ = join(links, count, CERTAIN)
    likely, backgrounds = join(links, count, LIKELY)
    shared = {row for cluster in backgrounds for row in cluster.rows}
    likely = sorted([*likely, *(c for c in certain if c.rows[0] in shared)], key=lambda c: c.rows)
    return Copies(_groups(certain, train, test), _groups(likely, train, test)), backgrounds


def _groups(
    clusters: Iterable[Cluster], train: Sequence[str], test: Sequence[str]
) -> tuple[Group, ...]:
    out: list[Group] = []
    for cluster in clusters:
        inside = tuple(sorted(train[row] for row in cluster.rows if row < len(train)))
        beside = tuple(sorted(test[row - len(train)] for row in cluster.rows if row >= len(train)))
        if len(inside) > 1:
            out.append(
                Group(f"g{len(out) + 1:04d}", inside, cluster.kinds, cluster.confidence, beside)
            )
    return tuple(out)


def copy_findings(
    index: Index, grouped: Index, test: Sequence[str], links: Sequence[Link], copies: Copies
) -> Iterator[Finding]:
    """Copies with different labels, copies of test images, and copies that no group holds.

    index: the training images, in the rows of the links; grouped: those that are trained on.
    """
    sure = [link for link in links if link.confidence >= CERTAIN]
    yield from _contradictions(index, [link for link in sure if link.b < len(index)])
    shown: dict[int, Link] = {}
    for link in sure:
        if link.a < len(index) <= link.b:
            shown.setdefault(link.a, link)
    if shown:
        told = [f"{index.ids[a]} = {test[k.b - len(index)]}" for a, k in shown.items()]
        yield Finding(
            "warning",
            f"{len(shown)} training images show what test images show: {first(told, 3)}",
            tuple(index.ids[a] for a in sorted(shown)),
        )
    yield from _ungrouped(grouped, copies)


def _contradictions(index: Index, links: Sequence[Link]) -> Iterator[Finding]:
    """The same picture with different labels: an error where even the bytes are the same."""
    labels = index.label_texts()
    for kind, level in (("exact", "error"), ("reencoded", "warning")):
        torn = [k for k in links if k.kind == kind and labels[k.a] != labels[k.b]]
        told = [
            f"{index.ids[k.a]} ({labels[k.a]}) = {index.ids[k.b]} ({labels[k.b]})" for k in torn
        ]
        if torn:
            ids = tuple(sorted({index.ids[row] for k in torn for row in (k.a, k.b)}))
            yield Finding(
                level, f"{len(torn)} {kind} copies with different labels: {first(told, 3)}", ids
            )


def _ungrouped(index: Index, copies: Copies) -> Iterator[Finding]:
    groups = dict(zip(index.ids, index.groups or index.ids, strict=True))
    torn = [g for g in copies.proposals if len({groups[name] for name in g.ids}) > 1]
    if not torn:
        return
    ids = tuple(name for group in torn for name in group.ids)
    sure = sum(len({groups[name] for name in g.ids}) > 1 for g in copies.copies)
    yield Finding(
        "warning",
        f"{len(ids)} training images are copies or near-copies of one another, in {len(torn)} "
        f"groups ({sure} beyond doubt) that no group column holds together: random folds would "
        "show them in training and in validation. Look at the page, then accept them with "
        "`comp check --accept-groups`, or with data.group: auto",
        ids,
    )
