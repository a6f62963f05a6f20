"""TIFF of any depth, with several channels or several pages (tifffile)."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np

from comp.core.errors import DataError, reason
from comp.data.images.limits import refuse_bomb
from comp.data.images.stacks.pictures import read_picture
from comp.data.images.stacks.stack import MOST_VALUES, Stack

Pixels = np.ndarray[Any, Any]

_BEGINNINGS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_AS_PICTURES = ("PALETTE", "SEPARATED", "YCBCR", "CIELAB")  # Pillow knows their colours
_WHITE_IS_ZERO = "MINISWHITE"


def is_tiff(content: bytes) -> bool:
    """Whether a file is a TIFF, a large one too."""
    return content.startswith(_BEGINNINGS)


def opened(content: bytes) -> Any:
    """The file as tifffile sees it. Raises DataError for a damaged one."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of what it mends
    try:
        file = tifffile.TiffFile(io.BytesIO(content))
        if not file.series or not file.series[0].size:
            raise ValueError("it holds no image")
        return file
    except Exception as problem:  # whatever a damaged file makes it raise
        raise DataError(f"a TIFF that cannot be read ({reason(problem)})") from problem


def form_of_tiff(content: bytes) -> tuple[int, int, int]:
    """Height, width and number of planes of the first series of a TIFF, from its header."""
    with opened(content) as file:
        return _form(file.series[0])


def pages_of_tiff(content: bytes) -> int:
    """How many grey pages of one size a TIFF begins with; 0 where they are not grey."""
    with opened(content) as file:
        series = file.series[0]
        return 0 if "S" in series.axes else len(series.pages)


def read_tiff(content: bytes) -> Stack:
    """The planes of the first series of a TIFF: its channels, or its pages, or both.

    DataError for a damaged file, and for a compression whose package is missing.
    """
    with opened(content) as file:
        series, page = file.series[0], file.pages[0]
        light = getattr(page.photometric, "name", "")
        if light in _AS_PICTURES and len(series.pages) == 1:
            return read_picture(content)
        height, width, planes = _form(series)
        refuse_bomb(width, height)
        if height * width * planes > MOST_VALUES:
            raise DataError(
                f"{planes} planes of {width} x {height}: more than {MOST_VALUES:,} values"
            )
        try:
            found = series.asarray()
        except Exception as problem:  # codecs raise whatever they like
            hint = '; pip install "comp[tiff]"' if "imagecodecs" in str(problem) else ""
            raise DataError(f"a TIFF that cannot be decoded ({reason(problem)}){hint}") from problem
        axes = series.axes
        order = [axes.index("Y"), axes.index("X")]
        rest = [n for n, name in enumerate(axes) if name not in "YX"]
        pixels = np.transpose(found, [*order, *rest]).reshape(height, width, planes)
        samples, extra = int(page.samplesperpixel), tuple(page.extrasamples or ())
        alone = len(series.pages) == 1
        return Stack(
            _whole_bytes(pixels),
            "TIFF",
            f"{pixels.dtype}, {planes} planes",
            colours=alone and light == "RGB" and samples in (3, 4),
            alpha=alone and bool(extra) and int(extra[-1]) in (1, 2) and samples in (2, 4),
            inverted=light == _WHITE_IS_ZERO,
        )


def _form(series: Any) -> tuple[int, int, int]:
    axes, shape = series.axes, series.shape
    if "Y" not in axes or "X" not in axes:
        raise DataError(f"a TIFF of the axes {axes}, which is no image")
    height, width = int(shape[axes.index("Y")]), int(shape[axes.index("X")])
    planes = int(np.prod(shape)) // max(1, height * width)
    return height, width, planes


def _whole_bytes(pixels: Pixels) -> Pixels:
    """One bit per pixel as black and white of eight."""
    return pixels.astype(np.uint8) * np.uint8(255) if pixels.dtype == bool else pixels
