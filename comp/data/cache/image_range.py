"""Which values are black and white in images of more than 8 bits: `image.range`.

Measured once on all training images, so that every image of a competition is scaled in the same
way, those of the test set too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files, progress
from comp.core.checksums import digest_lines
from comp.core.errors import DataError, RunError
from comp.core.parallel import cores, read_ahead
from comp.data.images.decode import read_content
from comp.data.images.deep import Span, may_be_deep
from comp.data.images.pixel_form import PixelForm, as_span, form_of, several
from comp.data.images.reading import chosen
from comp.data.index.index import Index
from comp.data.index.sources import Source, source_digests

_NOTES = "image_range.json"  # in the cache
_FULL = 16  # bits
_AUTO, _CHANNELS = "auto", "channels"

Ends = tuple[float, float]


@dataclass(frozen=True)
class Depth:
    """What images of more than 8 bits hold: how many there are, the lowest and highest value of
    each channel, and whether all are whole numbers."""

    images: int
    ends: tuple[Ends, ...]
    whole: bool = True

    @property
    def low(self) -> float:
        """The lowest value."""
        return min(low for low, _ in self.ends)

    @property
    def high(self) -> float:
        """The highest value."""
        return max(high for _, high in self.ends)

    @property
    def bits(self) -> int:
        """The fewest bits, 8 at least, that hold the values."""
        return max(8, int(self.high).bit_length())

    @property
    def span(self) -> Span:
        """Black and white: 0 and the highest number of as many bits; of signed numbers, floats and
        more than 16 bits the ends. None for 16 bits."""
        if self.whole and self.low >= 0 and self.bits <= _FULL:
            return None if self.bits == _FULL else (0.0, float((1 << self.bits) - 1))
        return _apart(self.low, self.high)


def _apart(low: float, high: float) -> Ends:
    return (low, high) if high > low else (low, low + 1)


def with_range(image: ImageConfig, index: Index, cache: Path) -> ImageConfig:
    """The image settings with the range of a training index in the place of `auto` or `channels`;
    as they are where its images have 8 bits, or really 16."""
    if image.range not in (_AUTO, _CHANNELS) or image.windows is not None:
        return image
    depth = measure_depth(index.all_sources, cache, form_of(image))
    if depth is None:
        return image
    each = tuple(_apart(*ends) for ends in depth.ends)
    span = each if image.range == _CHANNELS else depth.span
    return image if span is None else image.model_copy(update={"range": span})


def refuse_other_range(path: Path, trained: Any, span: Span) -> None:
    """RunError for a checkpoint of images that were scaled in another way than they are now."""
    if as_span(trained) != as_span(span):
        raise RunError(
            f"{path}: trained on pixels of image.range {_told(trained)}, now it is {_told(span)}. "
            "Bring the images or the key back, or start the fold over with `comp train --restart`."
        )


def _told(span: Any) -> str:
    plain = as_span(span)
    if plain is None:
        return "[0, 65535]"
    if several(plain):
        return f"[{', '.join(map(_told, plain))}]"
    return f"[{plain[0]:g}, {plain[1]:g}]"


def measure_depth(sources: Sequence[Source], cache: Path, form: PixelForm) -> Depth | None:
    """The depth of the images among these that have more than 8 bits; None where there are none.

    What was found is noted in `cache` and measured again when a file changes. Images that cannot be
    read are left out: whoever decodes them says so.
    """
    deep = [source for source in sources if any(map(_looks_deep, source.files))]
    if not deep:
        return None
    about = f"{form.planes} {form.slices}"
    key = digest_lines([about, *(s.name for s in deep), *source_digests(deep, cache)])
    notes: dict[str, Any] = {}
    with contextlib.suppress(DataError):  # none yet, or torn: measured again
        notes = files.read_json(cache / _NOTES, DataError)
    if key not in notes:
        ends = read_ahead(partial(_ends, form=form), deep, cores())
        notes = {key: _joined([*progress.track(ends, len(deep), "measuring image.range")])}
        cache.mkdir(parents=True, exist_ok=True)
        files.write_json(cache / _NOTES, notes)
    images, found, whole = notes[key]
    return Depth(images, tuple((low, high) for low, high in found), whole) if images else None


def _joined(found: Sequence[tuple[list[Ends], bool] | None]) -> list[Any]:
    """Images, ends of each channel, and whether all numbers are whole, as JSON values."""
    known = [part for part in found if part is not None]
    ends = [
        [min(low for low, _ in channel), max(high for _, high in channel)]
        for channel in zip(*(part[0] for part in known), strict=True)
    ]
    return [len(known), ends, all(part[1] for part in known)]


def _looks_deep(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            return may_be_deep(handle.read(32))
    except OSError:
        return False


def _ends(source: Source, form: PixelForm) -> tuple[list[Ends], bool] | None:
    """The lowest and the highest finite value of each channel of an image with more than 8 bits,
    and whether they are whole numbers; None for another image."""
    try:
        contents = [read_content(path) for path in source.files]
        parts = chosen(contents, form, source.slices, white=False)
    except DataError:
        return None
    planes = [plane for part in parts for plane in np.moveaxis(part.planes, 2, 0)]
    if all(plane.dtype == np.uint8 for plane in planes):
        return None
    ends = []
    for plane in planes:
        values = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
        if not values.size:
            return None
        ends.append(_numbers(values.min(), values.max()))
    return ends, all(plane.dtype.kind in "ui" for plane in planes)


def _numbers(low: Any, high: Any) -> Ends:
    """As JSON keeps them."""
    return low.item(), high.item()
