"""Which images from elsewhere are copies of training or test images here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from comp.check.duplicates.clusters import LIKELY, find_links
from comp.check.image_stats import measure_images
from comp.core.progress import say
from comp.data.images.deep import Span
from comp.data.index.index import Index

Copies = dict[str, list[str]]  # id from elsewhere -> the ids here that show the same thing


def near_copies(
    other: Index, here: Sequence[Index], cache: Path, span: Span, what: str
) -> tuple[Copies, ...]:
    """For each index of `here`, the images of `other` that are likely copies of its images.

    By what `comp check` calls copies, whose measurements are used where they are there. what: the
    other images, in a message.
    """
    counts = [len(other), *map(len, here)]
    say(f"{what}: comparing {counts[0]} images with {sum(counts[1:])} here")
    paths = [*other.paths, *(path for index in here for path in index.paths)]
    names = [*other.ids, *(name for index in here for name in index.ids)]
    stats = measure_images(paths, cache / "check", span)
    found: list[Copies] = [defaultdict(list) for _ in here]
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    for link in find_links(names, stats, cache / "check"):
        if link.a >= counts[0] or link.b < counts[0] or link.confidence < LIKELY:
            continue
        part = next(place for place, end in enumerate(ends) if link.b < end) - 1
        found[part][other.ids[link.a]].append(names[link.b])
    return tuple(found)
