"""Proposed groups, and findings about copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from comp.check.copy_findings import copy_findings, propose
from comp.check.duplicates.clusters import CopyLink
from comp.data.index.index import Index


def index(
    labels: list[int], classes: tuple[str, ...], groups: tuple[str, ...] | None = None
) -> Index:
    ids = tuple(f"{n:02d}" for n in range(len(labels)))
    return Index(ids, tuple(Path(n) for n in ids), classes, np.array(labels), groups)


def test_groups_have_two_training_images_and_name_the_test_images() -> None:
    links = [
        CopyLink(0, 1, "exact", 1.0),
        CopyLink(0, 4, "near", 0.98),
        CopyLink(2, 5, "exact", 1.0),
        CopyLink(2, 3, "near", 0.85),
    ]
    copies, backgrounds = propose(["a", "b", "c", "d"], ["t", "u"], links)
    assert backgrounds == []
    assert [(g.name, g.ids, g.test_ids, g.confidence) for g in copies.copies] == [
        ("g0001", ("a", "b"), ("t",), 0.98)
    ]
    assert [(g.name, g.ids, g.test_ids) for g in copies.proposals] == [
        ("g0001", ("a", "b"), ("t",)),
        ("g0002", ("c", "d"), ("u",)),
    ]


def test_copies_that_a_group_holds_are_no_finding() -> None:
    links = [CopyLink(0, 1, "reencoded", 0.99)]
    plain, held = index([0, 1], ("x", "y")), index([0, 1], ("x", "y"), ("p", "p"))
    copies, _ = propose(plain.ids, [], links)
    twice = "1 reencoded copies with different labels: '00 (x) = 01 (y)'"
    assert [f.text for f in copy_findings(held, held, [], links, copies)] == [twice]
    texts = [f.text for f in copy_findings(plain, plain, [], links, copies)]
    assert texts[0] == twice
    assert texts[1].startswith("2 training images are copies or near-copies of one another, in 1 ")


def test_what_is_certain_is_proposed_within_a_background_that_many_share() -> None:
    ids = [f"{n:03d}" for n in range(100)]
    chain = [CopyLink(row, row + 1, "near", 0.8) for row in range(98)]
    second = [CopyLink(row, row + 2, "near", 0.8) for row in range(98)]
    copies, backgrounds = propose(ids, [], [CopyLink(7, 8, "exact", 1.0), *chain, *second])
    assert [len(cluster.rows) for cluster in backgrounds] == [100]
    assert [group.ids for group in copies.proposals] == [("007", "008")]
    assert copies.proposals == copies.copies
