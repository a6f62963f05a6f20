"""Findings about images of more than 8 bits: how they are scaled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comp.check.findings import Finding
from comp.config.schema import ImageConfig
from comp.data.cache.image_range import measure_depth, span_of
from comp.data.index.index import Index

_SPREAD = 0.25  # of the range: less than this is told


def depth_findings(train: Index, test: Index, image: ImageConfig, cache: Path) -> Iterator[Finding]:
    """How deep images are scaled, and values outside of the range. image: with its range."""
    span = span_of(image)
    low, high = span or (0.0, 65535.0)
    used = f"image.range is [{low:g}, {high:g}], for every image of both sets"
    for name, index in (("training", train), ("test", test)):
        depth = measure_depth(index.paths, cache)
        if depth is None:
            continue
        held = f"{depth.images} {name} images have more than 8 bits, values {depth.low} to "
        held += str(depth.high)
        yield Finding("note", f"{held}: {used}")
        if depth.low < low or depth.high > high:
            yield Finding("warning", f"{held}: those outside of image.range become black or white")
        if depth.high - depth.low < _SPREAD * (high - low):
            text = f"they use little of image.range; [{depth.low}, {depth.high}] would use all"
            yield Finding("warning", f"{held}: {text}")
