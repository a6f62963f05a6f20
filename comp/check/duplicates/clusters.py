"""Copies: images that show the same thing, for whatever reason, joined into clusters.

A link joins two images for a reason, with a confidence. Reasons, the most certain first:

`exact`      the same bytes
`reencoded`  the same frame: saved again, at another size or quality
`turned`     the same frame, rotated by a multiple of 90 degrees or flipped
`family`     names that a tool gave to the copies of one image (`x.rf.<hash>.jpg`, `x_rot90.jpg`);
             except for Roboflow's, the images must be similar too
`near`       local features that agree on one map: another exposure, crop, angle or shot
`shots`      consecutive file numbers, and similar images
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.check.duplicates import file_names as by_name
from comp.check.duplicates.candidate_pairs import same_frame, shared_words
from comp.check.duplicates.pair_evidence import agreements, confidence, expected_chance
from comp.check.duplicates.thumbnail_match import same_frame_as
from comp.check.image_stats import ImageStats

Array = np.ndarray[Any, Any]

CERTAIN = 0.97  # confidence above which images are copies beyond doubt
LIKELY = 0.8  # ... above which a group is proposed
_SAME_FRAME = 0.99
_LARGE, _SHARE = 40, 0.1  # more images than that, and than this share of all: a background


@dataclass(frozen=True)
class CopyLink:
    """Images `a` < `b` (row numbers), the reason, and its confidence in [0, 1]."""

    a: int
    b: int
    kind: str
    confidence: float


@dataclass(frozen=True)
class Cluster:
    """Rows that belong together, sorted; the reasons; the confidence of the weakest link that joins
    them."""

    rows: tuple[int, ...]
    kinds: tuple[str, ...]
    confidence: float


def find_links(names: Sequence[str], stats: ImageStats, cache: Path) -> list[CopyLink]:
    """Every link between two of the images, whose ids are `names`; sorted by rows."""
    certain = [*_exact(stats), *_frames(stats)]
    certain += [CopyLink(a, b, "family", CERTAIN) for a, b in _chains(by_name.roboflow(names))]
    known = {(link.a, link.b) for link in certain}
    found = [link for link in _by_features(names, stats, cache) if (link.a, link.b) not in known]
    return sorted([*certain, *found], key=lambda link: (link.a, link.b, link.kind))


def _exact(stats: ImageStats) -> Iterator[CopyLink]:
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(stats.readable).tolist():
        rows.setdefault(str(stats.digest[row]), []).append(row)
    for a, b in _chains(rows.values()):
        yield CopyLink(a, b, "exact", 1.0)


def _chains(groups: Iterable[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Pairs that join each group: every member with the first one."""
    for rows in groups:
        for row in rows[1:]:
            yield min(rows[0], row), max(rows[0], row)


def _frames(stats: ImageStats) -> Iterator[CopyLink]:
    """The same frame, saved again or turned."""
    rows = np.flatnonzero(stats.readable)
    sizes = [(width, height) for width, height, _ in stats.size.tolist()]
    for i, j in same_frame(stats.thumbs[rows]):
        a, b = int(rows[i]), int(rows[j])
        if stats.digest[a] != stats.digest[b]:
            way = same_frame_as(stats.thumbs[a], stats.thumbs[b], sizes[a], sizes[b])
            if way is not None:
                yield CopyLink(a, b, "turned" if way else "reencoded", _SAME_FRAME)


def _by_features(names: Sequence[str], stats: ImageStats, cache: Path) -> list[CopyLink]:
    """Links by local features, between images that share visual words or have related names."""
    owner = np.repeat(np.arange(len(stats)), stats.counts)
    family = {*_chains(by_name.families(names))}
    shots = {*by_name.shots(names)} - family
    shared = shared_words(stats.words, owner, len(stats))
    plain = [pair for pair in shared if not pair[2] and pair[:2] not in family]
    pools = {
        "near": plain,
        "mirror": [pair for pair in shared if pair[2] and pair[:2] not in family],
        "family": [(a, b, m) for a, b in sorted(family) for m in (False, True)],
        "shots": [(a, b, False) for a, b in sorted(shots)],
    }
    agreed = {kind: agreements(stats, pairs, cache) for kind, pairs in pools.items()}
    rate = expected_chance(agreed["near"])
    best: dict[tuple[int, int], CopyLink] = {}
    for kind, pairs in pools.items():
        named = kind in ("family", "shots")
        values = confidence(agreed[kind], rate * len(pairs) if named else None)
        for (a, b, _), value in zip(pairs, values.tolist(), strict=True):
            if value > getattr(best.get((a, b)), "confidence", 0.0):
                best[a, b] = CopyLink(a, b, "near" if kind == "mirror" else kind, value)
    return list(best.values())


def join(
    links: Iterable[CopyLink], count: int, least: float
) -> tuple[list[Cluster], list[Cluster]]:
    """The clusters that links of at least confidence `least` make of `count` images; and those that
    are too large to be copies of one thing: a background that many images share.

    Links join in the order of their confidence. A link that is not certain does not join two
    clusters of three or more images by itself: it takes a second one between them.
    """
    parent = list(range(count))
    members: dict[int, list[int]] = {row: [row] for row in range(count)}
    weakest = [1.0] * count
    kinds: list[set[str]] = [set() for _ in range(count)]
    waiting: dict[tuple[int, int], int] = {}
    for link in sorted(links, key=lambda link: (-link.confidence, link.a, link.b)):
        a, b = sorted((parent[link.a], parent[link.b]))
        if link.confidence < least or a == b:
            continue
        waiting[a, b] = waiting.get((a, b), 0) + 1
        small = min(len(members[a]), len(members[b])) < 3
        if not small and link.confidence < CERTAIN and waiting[a, b] < 2:
            continue
        for row in members[b]:
            parent[row] = a
        members[a] += members.pop(b)
        weakest[a] = min(weakest[a], weakest[b], link.confidence)
        kinds[a] |= kinds[b] | {link.kind}
    made = [
        Cluster(tuple(sorted(rows)), tuple(sorted(kinds[root])), weakest[root])
        for root, rows in sorted(members.items())
        if len(rows) > 1
    ]
    large = [cluster for cluster in made if _is_background(cluster, count)]
    return [cluster for cluster in made if cluster not in large], large


def _is_background(cluster: Cluster, count: int) -> bool:
    by_features = {"near", "shots"} & {*cluster.kinds}
    return bool(by_features) and len(cluster.rows) > max(_LARGE, _SHARE * count)
