"""Findings about images of more than 8 bits: how they are scaled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comp.check.findings import Finding
from comp.config.schema import ImageConfig
from comp.data.cache.image_range import Depth, measure_depth
from comp.data.images.deep import pairs_of
from comp.data.images.pixel_form import PixelForm, form_of
from comp.data.index.index import Index

_SPREAD = 0.25  # of the range: less than this is told
_SHOWN = 16  # channels


def depth_findings(train: Index, test: Index, image: ImageConfig, cache: Path) -> Iterator[Finding]:
    """How deep images are scaled, and values outside of the range. image: with its range."""
    form = form_of(image)
    for name, index in (("training", train), ("test", test)):
        depth = measure_depth(index.all_sources, cache, form)
        if depth is not None:
            held = f"{depth.images} {name} images have more than 8 bits, values {depth.low:g} to "
            yield from _of_part(f"{held}{depth.high:g}", depth, form)


def _of_part(held: str, depth: Depth, form: PixelForm) -> Iterator[Finding]:
    if form.windows is not None:
        own = form.windows if isinstance(form.windows, tuple) else ()
        shown = ", ".join(f"[{c:g}, {w:g}]" for c, w in own) or "what each file states"
        text = f"image.windows: {shown}; what lies outside of them is black or white"
        yield Finding("note", f"{held}: {text}")
        return
    spans = _spans(form)
    told = ", ".join(f"[{low:g}, {high:g}]" for low, high in dict.fromkeys(spans))
    kept = "" if form.bits > 8 else "; kept as 8 bits (image.bits)"
    yield Finding("note", f"{held}: image.range is {told}, for every image of both sets{kept}")
    pairs = [*zip(depth.ends, spans, strict=False)]
    beyond = [n for n, ((low, high), span) in enumerate(pairs) if low < span[0] or high > span[1]]
    where = "" if len(beyond) in (0, len(pairs)) else f" (channels {_listed(beyond)})"
    if beyond:
        yield Finding(
            "warning", f"{held}: those outside of image.range become black or white{where}"
        )
    if depth.high - depth.low < _SPREAD * max(high - low for low, high in spans):
        text = f"they use little of image.range; [{depth.low:g}, {depth.high:g}] would use all"
        yield Finding("warning", f"{held}: {text}")
        return
    narrow = [
        n
        for n, ((low, high), span) in enumerate(pairs)
        if high - low < _SPREAD * (span[1] - span[0])
    ]
    if narrow and form.channels != 3:
        text = f"channels {_listed(narrow)} use little of image.range; image.range: channels gives "
        yield Finding("warning", f"{held}: {text}each its own")


def _spans(form: PixelForm) -> list[tuple[float, float]]:
    """Black and white of each channel."""
    pairs = [*(pairs_of(form.span) or ((0.0, 65535.0),))]
    return pairs if len(pairs) > 1 else pairs * form.planes


def _listed(places: list[int]) -> str:
    return ", ".join(map(str, places[:_SHOWN]))
