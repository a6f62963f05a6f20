"""Which values are black and white in images of more than 8 bits: `image.range`.

Measured once on all training images, so that every image of a competition is scaled in the same
way, those of the test set too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files, progress
from comp.core.checksums import digest_lines
from comp.core.errors import DataError, RunError
from comp.core.known_digests import known_digests
from comp.core.parallel import cores, read_ahead
from comp.data.images.decode import open_image, read_content
from comp.data.images.deep import Span, deep_pixels, may_be_deep
from comp.data.images.endings import mended_png
from comp.data.index.index import Index

_NOTES = "image_range.json"  # in the cache
_FULL = 16  # bits


@dataclass(frozen=True)
class Depth:
    """What images of more than 8 bits hold: how many there are, and the lowest and highest value
    of whole numbers in them."""

    images: int
    low: int
    high: int

    @property
    def bits(self) -> int:
        """The fewest bits, 8 at least, that hold the values."""
        return max(8, int(self.high).bit_length())


def with_range(image: ImageConfig, index: Index, cache: Path) -> ImageConfig:
    """The image settings with the range of a training index in the place of `auto`; as they are
    where its images have 8 bits, or really 16."""
    if image.range != "auto":
        return image
    depth = measure_depth(index.paths, cache)
    if depth is None or depth.low < 0 or depth.bits >= _FULL:
        return image
    return image.model_copy(update={"range": (0.0, float((1 << depth.bits) - 1))})


def span_of(image: ImageConfig) -> Span:
    """The values that become 0 and 255; None: 16 bits lose the lower 8."""
    return None if image.range == "auto" else image.range


def refuse_other_range(path: Path, trained: Sequence[float] | None, span: Span) -> None:
    """RunError for a checkpoint of images that were scaled in another way than they are now."""
    if (None if trained is None else tuple(trained)) != span:
        was, now = ("[0, 65535]" if s is None else f"[{s[0]:g}, {s[1]:g}]" for s in (trained, span))
        raise RunError(
            f"{path}: trained on pixels of image.range {was}, now it is {now}. Bring the images or "
            "the key back, or start the fold over with `comp train --restart`."
        )


def measure_depth(paths: Sequence[Path], cache: Path) -> Depth | None:
    """The depth of the images among these that have more than 8 bits; None where there are none.

    What was found is noted in `cache` and measured again when a file changes. Images that cannot be
    read, and floats, are left out: whoever decodes them says so.
    """
    deep = [path for path in paths if _looks_deep(path)]
    if not deep:
        return None
    key = digest_lines([*map(str, deep), *known_digests(deep, cache)])
    notes: dict[str, list[int]] = {}
    with contextlib.suppress(DataError):  # none yet, or torn: measured again
        notes = files.read_json(cache / _NOTES, DataError)
    if key not in notes:
        ends = read_ahead(_ends, deep, cores())
        found = [pair for pair in progress.track(ends, len(deep), "measuring image.range") if pair]
        low, high = (min(a for a, _ in found), max(b for _, b in found)) if found else (0, 0)
        notes = {key: [len(found), low, high]}
        cache.mkdir(parents=True, exist_ok=True)
        files.write_json(cache / _NOTES, notes)
    depth = Depth(*notes[key])
    return depth if depth.images else None


def _looks_deep(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            return may_be_deep(handle.read(32))
    except OSError:
        return False


def _ends(path: Path) -> tuple[int, int] | None:
    """The lowest and the highest value of an image with more than 8 bits; None for another."""
    try:
        content = mended_png(read_content(path))
        image = open_image(content)
        pixels = image if isinstance(image, np.ndarray) else deep_pixels(content, image)
    except (DataError, OSError, SyntaxError, ValueError):
        return None
    if pixels is None or pixels.dtype == np.uint8 or pixels.dtype.kind not in "ui":
        return None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = pixels[..., :-1]  # without alpha
    return int(pixels.min()), int(pixels.max())
