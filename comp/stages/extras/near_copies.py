"""Which images from elsewhere are copies of training or test images here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comp.check.duplicates.candidate_pairs import same_frame
from comp.check.duplicates.clusters import LIKELY, find_links
from comp.check.duplicates.thumbnail_match import TINY_SIDE, similar_to
from comp.check.image_stats import ImageStats, measure_images
from comp.core.progress import say
from comp.data.images.pixel_form import PixelForm
from comp.data.index.index import Index

Copies = dict[str, list[str]]  # id from elsewhere -> the ids here that show the same thing


def near_copies(
    other: Index,
    here: Sequence[Index],
    cache: Path,
    form: PixelForm,
    what: str,
    *,
    similar: bool = False,
) -> tuple[Copies, ...]:
    """For each index of `here`, the images of `other` that are likely copies of its images.

    By what `comp check` calls copies, whose measurements are used where they are there. what: the
    other images, in a message. similar: of images below 64 pixels also those that are so similar
    that they may be copies; some are none, for tiny images have little that differs.
    """
    counts = [len(other), *map(len, here)]
    say(f"{what}: comparing {counts[0]} images with {sum(counts[1:])} here")
    files = [*other.all_sources, *(part for index in here for part in index.all_sources)]
    names = [*other.ids, *(name for index in here for name in index.ids)]
    stats = measure_images(files, cache / "check", form)
    found: list[Copies] = [defaultdict(list) for _ in here]
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    likely = [
        (link.a, link.b)
        for link in find_links(names, stats, cache / "check")
        if link.confidence >= LIKELY
    ]
    known = {*likely}
    likely += [pair for pair in _tiny(stats) if pair not in known] if similar else []
    for a, b in likely:
        if a >= counts[0] or b < counts[0]:
            continue
        part = next(place for place, end in enumerate(ends) if b < end) - 1
        found[part][other.ids[a]].append(names[b])
    return tuple(found)


def _tiny(stats: ImageStats) -> list[tuple[int, int]]:
    """Pairs of which one is tiny, and that may be copies."""
    sizes, thumbs = stats.size[:, :2], stats.thumbs
    small = sizes.max(axis=1) < TINY_SIDE
    return [
        (a, b)
        for a, b in same_frame(thumbs)
        if (small[a] or small[b])
        and similar_to(thumbs[a], thumbs[b], _pair(sizes[a]), _pair(sizes[b]))
    ]


def _pair(size: Any) -> tuple[int, int]:
    return int(size[0]), int(size[1])
