"""What pixels are made of files: how many channels, of how many bits, and which values are black
and white. It follows from the section `image` of a config alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.data.images.deep import Span, pairs_of

Windows = str | tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class PixelForm:
    """How files become pixels.

    `channels`  of an image, 1 to 16
    `bits`      8 or 16: (H, W, C) uint8 or uint16
    `span`      the values that become black and white, see `comp.data.images.deep`
    `windows`   centre and width of each window, `file` for that of the file, or None
    `slices`    which planes of a file are taken where it has more than are asked for
    """

    channels: int = 3
    bits: int = 8
    span: Span = None
    windows: Windows = None
    slices: str = "all"

    @property
    def plain(self) -> bool:
        """Whether images are RGB of 8 bits, as they always were."""
        return self == PixelForm(span=self.span) and not several(self.span)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def top(self) -> int:
        """The value of white."""
        return (1 << self.bits) - 1

    @property
    def planes(self) -> int:
        """How many planes all files of an image hold together."""
        return self.channels // (len(self.windows) if isinstance(self.windows, tuple) else 1)

    @property
    def settings(self) -> str:
        """As a text that is another one for other pixels; "" for what is usual."""
        out = ",".join(f"{low:g}..{high:g}" for low, high in pairs_of(self.span))
        out = f" {out}" if out else ""
        if self.plain:
            return out
        out += f" {self.channels} channels {self.bits} bits {self.slices}"
        if self.windows is not None:
            out += f" windows {self.windows}"
        return out


def several(span: Span) -> bool:
    """Whether each channel has its own black and white."""
    return span is not None and isinstance(span[0], tuple)


def as_span(saved: Any) -> Span:
    """The span that a file keeps as lists, or as tuples."""
    if saved is None:
        return None
    if isinstance(saved[0], (list, tuple)):
        return tuple((float(low), float(high)) for low, high in saved)
    return float(saved[0]), float(saved[1])


def span_of(image: ImageConfig) -> Span:
    """The values that become black and white; None: 0 and 65,535."""
    return None if isinstance(image.range, str) else image.range


def form_of(image: ImageConfig) -> PixelForm:
    """How files become pixels by a section `image` whose range is measured."""
    return PixelForm(image.channels, image.bits, span_of(image), image.windows, image.slices)
