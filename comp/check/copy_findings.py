"""Proposed groups, and findings about copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from comp.check.duplicates.clusters import CERTAIN, LIKELY, Cluster, CopyLink, join
from comp.check.findings import Finding
from comp.core.errors import first
from comp.data.folds.groups import Copies, Group
from comp.data.index.index import Index


def propose(
    train: Sequence[str], test: Sequence[str], links: Sequence[CopyLink]
) -> tuple[Copies, list[Cluster]]:
    """The copies and the proposed groups; and the clusters that are too large to be proposed.

    Rows of the links: the training images, then the test images. A group has at least two training
    ids. What is certain is proposed even within a background that many images share, since a plan
    must not divide it.
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


def test_groups(train: int, test: Sequence[str], links: Sequence[CopyLink]) -> list[list[str]]:
    """The test ids that show the same, two or more; train: how many rows of the links come before
    the test images."""
    likely, _ = join(links, train + len(test), LIKELY)
    found = ([test[row - train] for row in cluster.rows if row >= train] for cluster in likely)
    return [sorted(ids) for ids in found if len(ids) > 1]


def copy_findings(
    index: Index, grouped: Index, test: Sequence[str], links: Sequence[CopyLink], copies: Copies
) -> Iterator[Finding]:
    """Copies with different labels, copies of test images, and copies that no group holds.

    index: the training images, in the rows of the links; grouped: those that are trained on.
    """
    sure = [link for link in links if link.confidence >= CERTAIN]
    yield from _contradictions(index, [link for link in sure if link.b < len(index)])
    leaked: dict[int, CopyLink] = {}
    for link in sure:
        if link.a < len(index) <= link.b:
            leaked.setdefault(link.a, link)
    if leaked:
        pairs = [f"{index.ids[a]} = {test[k.b - len(index)]}" for a, k in leaked.items()]
        yield Finding(
            "warning",
            f"{len(leaked)} training images show the same as test images: {first(pairs, 3)}",
            tuple(index.ids[a] for a in sorted(leaked)),
        )
    yield from _ungrouped(grouped, copies)


def _contradictions(index: Index, links: Sequence[CopyLink]) -> Iterator[Finding]:
    """Copies with different labels: an error where even the bytes are the same."""
    labels = index.label_texts()
    for kind, level in (("exact", "error"), ("reencoded", "warning")):
        differing = [k for k in links if k.kind == kind and labels[k.a] != labels[k.b]]
        pairs = [
            f"{index.ids[k.a]} ({labels[k.a]}) = {index.ids[k.b]} ({labels[k.b]})"
            for k in differing
        ]
        if differing:
            ids = tuple(sorted({index.ids[row] for k in differing for row in (k.a, k.b)}))
            yield Finding(
                level,
                f"{len(differing)} {kind} copies with different labels: {first(pairs, 3)}",
                ids,
            )


def _ungrouped(index: Index, copies: Copies) -> Iterator[Finding]:
    groups = dict(zip(index.ids, index.groups or index.ids, strict=True))
    divided = [g for g in copies.proposals if len({groups[name] for name in g.ids}) > 1]
    if not divided:
        return
    ids = tuple(name for group in divided for name in group.ids)
    sure = sum(len({groups[name] for name in g.ids}) > 1 for g in copies.copies)
    yield Finding(
        "warning",
        f"{len(ids)} training images are copies or near-copies of one another, in {len(divided)} "
        f"groups ({sure} beyond doubt) that no group column keeps together: random folds would "
        "use them for both training and validation. Look at the page, then accept them with "
        "`comp check --accept-groups`, or with data.group: auto",
        ids,
    )


def background_findings(clusters: Iterable[Cluster], ids: Sequence[str]) -> Iterator[Finding]:
    """Clusters that are too large to be copies of one thing. ids: of the rows of the links."""
    for cluster in clusters:
        names = tuple(ids[row] for row in cluster.rows)
        yield Finding(
            "note",
            f"{len(names)} images share a background or a frame and are not proposed as a group: "
            f"{first(names, 3)}",
            names,
        )
