"""Images too large for memory: a TIFF that is read part by part, and its tiles.

A TIFF in tiles, or in strips of a few rows, is decoded segment by segment; the latest segments are
kept, up to a fixed number of bytes. Scanners' formats that are such TIFF files (.svs, .tif, .scn
with one image) are read too.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.errors import DataError, reason
from comp.data.images.tiles import windows

Pixels = np.ndarray[Any, Any]

SUFFIXES = (".tif", ".tiff", ".svs", ".scn", ".ndpi", ".btf")
_KEPT_BYTES = 32 << 20  # of decoded segments
_MOST_BYTES = 256 << 20  # of one segment
_BRIGHT, _DARK, _PALE = 0.84, 0.04, 0.06  # of white: what background is, and how grey


@dataclass(frozen=True)
class Tile:
    """A part of a slide: where it begins, and its pixels (side, side, P) as they are stored."""

    top: int
    left: int
    pixels: Pixels


class Slide:
    """The largest image of a TIFF, of which parts are read. Close it, or use it with `with`.

    `height`, `width`, `planes`, `colours`: of the image. Raises DataError for a file that is no
    TIFF, is damaged, or can only be decoded whole.
    """

    def __init__(self, path: Path) -> None:
        import tifffile

        logging.getLogger("tifffile").setLevel(logging.CRITICAL)
        self.path = path
        try:
            self._file = tifffile.TiffFile(path)
        except Exception as problem:  # whatever a file that is no TIFF makes it raise
            raise DataError(f"{path}: no TIFF that can be read ({reason(problem)})") from problem
        page: Any = self._file.pages[0]
        self._page = page
        self.height, self.width = int(page.imagelength), int(page.imagewidth)
        self.planes = int(page.samplesperpixel)
        self.colours = getattr(page.photometric, "name", "") in ("RGB", "YCBCR")
        self._kept: OrderedDict[int, Pixels] = OrderedDict()
        self._bytes = 0
        tiled = page.is_tiled
        self._tall = int(page.tilelength if tiled else page.rowsperstrip)
        self._tall = min(self._tall, self.height)
        self._wide = int(page.tilewidth) if tiled else self.width
        self._refuse()

    def _refuse(self) -> None:
        page, path = self._page, self.path
        if page.planarconfig != 1 and self.planes > 1:
            self.close()
            raise DataError(f"{path}: its channels lie apart (planar); save them together")
        size = self._tall * self._wide * self.planes * page.dtype.itemsize
        if size > _MOST_BYTES:
            self.close()
            raise DataError(
                f"{path}: stored in parts of {self._wide} x {self._tall} pixels, too large to read "
                "one by one; save it in tiles, such as 256 x 256"
            )

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def region(self, top: int, left: int, height: int, width: int) -> Pixels:
        """(height, width, P): a part that lies inside. Raises DataError where it is damaged."""
        out = np.zeros((height, width, self.planes), self._page.dtype)
        across = -(-self.width // self._wide)
        for row in range(top // self._tall, -(-(top + height) // self._tall)):
            for column in range(left // self._wide, -(-(left + width) // self._wide)):
                part = self._segment(row * across + column)
                y, x = row * self._tall, column * self._wide
                low, high = max(top, y), min(top + height, y + part.shape[0])
                first, last = max(left, x), min(left + width, x + part.shape[1])
                if low < high and first < last:
                    out[low - top : high - top, first - left : last - left] = part[
                        low - y : high - y, first - x : last - x
                    ]
        return out

    def _segment(self, number: int) -> Pixels:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        page = self._page
        try:
            handle: Any = self._file.filehandle
            handle.seek(page.dataoffsets[number])
            data = handle.read(page.databytecounts[number])
            decoded, _, shape = page.decode(data, number, jpegtables=page.jpegtables)
            if decoded is None:  # a hole: never written
                decoded = np.zeros(shape, page.dtype)
            part = np.asarray(decoded).reshape(*decoded.shape[-3:])
        except Exception as problem:  # codecs raise whatever they like
            hint = '; pip install "comp[tiff]"' if "imagecodecs" in str(problem) else ""
            raise DataError(
                f"{self.path}: part {number} cannot be decoded ({reason(problem)}){hint}"
            ) from problem
        self._kept[number] = part
        self._bytes += part.nbytes
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return part

    def places(self, side: int, overlap: float) -> list[list[tuple[int, int]]]:
        """Top and left of each tile, a list for each row of tiles."""
        lefts = windows(self.width, side, overlap)
        return [[(top, left) for left in lefts] for top in windows(self.height, side, overlap)]

    def tile(self, top: int, left: int, side: int) -> Tile:
        """A tile; beyond the image, where it is smaller than a tile, its mirror image."""
        tall, wide = min(side, self.height - top), min(side, self.width - left)
        pixels = self.region(top, left, tall, wide)
        if (tall, wide) != (side, side):
            pixels = np.pad(pixels, ((0, side - tall), (0, side - wide), (0, 0)), mode="symmetric")
        return Tile(top, left, pixels)


def occupied(pixels: Pixels) -> float:
    """The share of an image (H, W, C) uint8 or uint16 that is no background: neither pale and
    bright, as glass is, nor black."""
    top = float(np.iinfo(pixels.dtype).max)
    low, high = pixels.min(axis=2) / top, pixels.max(axis=2) / top
    middle = pixels.mean(axis=2) / top
    background = ((middle >= _BRIGHT) & (high - low <= _PALE)) | (middle <= _DARK)
    return float(1 - background.mean())


def slides_in(place: Path) -> list[Path]:
    """The slides of a folder, sorted, or the one that is named. DataError where there are none."""
    if place.is_file():
        return [place]
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise DataError(f"{place}: no slides; they end in {', '.join(SUFFIXES)}")
    return found


def rows_of(path: Path, shape: tuple[int, ...], band: int) -> Iterator[Pixels]:
    """Bands of at most `band` rows of a raw file of uint8 (H, W)."""
    height, width = shape
    for top in range(0, height, band):
        count = min(band, height - top) * width
        yield np.fromfile(path, np.uint8, count, offset=top * width).reshape(-1, width)
