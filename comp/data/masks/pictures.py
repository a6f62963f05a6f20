"""The pixels of mask files: numbers, black and white, or colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.decode import open_image, read_content
from comp.data.images.endings import mended_png

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]

_OPAQUE = 128  # in a file of one class: from this value on a pixel is marked
_WHITE = 65535  # of 16 bits
_SAME, _APART = 24, 64  # in one channel: of colours that JPEG made of one, and of two that were two
_RARE, _EDGE = 0.002, 0.03  # of all pixels: rarer is no main colour, or may be an edge of two
BLACK = 0  # a colour as one number: 65536 red + 256 green + blue


def read_mask_file(path: Path, *, palette: bool = False) -> Array:
    """(H, W) uint8 where a mask file holds numbers, (H, W, 3) where it holds colours.

    Of a palette the indices, or with `palette` its colours; of colours that are all grey the one
    channel. Transparent pixels are 0, and white of 16 bits is 255. Raises DataError where it cannot
    be read, and for other numbers above 255.
    """
    try:
        image = open_image(mended_png(read_content(path)))
        pixels = image if isinstance(image, np.ndarray) else _pixels_of(image, palette)
    except DataError as problem:
        raise DataError(f"{path}: {str(problem).removeprefix(f'{path}: ')}") from problem
    except Exception as problem:  # Pillow's readers raise whatever a broken file makes them
        raise DataError(f"{path}: cannot be decoded ({problem})") from problem
    if pixels.ndim == 3 and (pixels.shape[2] < 3 or not _coloured(pixels)):
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint8:
        if pixels.max() == _WHITE and not (pixels % 257).any():  # 8 bits, written as 16
            pixels = pixels // 257
        if pixels.min() < 0 or pixels.max() > 255:
            raise DataError(f"{path}: holds {pixels.max()}; the numbers of a mask are 0 to 255")
        pixels = pixels.astype(np.uint8)
    return np.asarray(pixels)


def _pixels_of(image: Image.Image, palette: bool) -> Array:
    image.load()
    plain = {
        "1": "L",
        **({"P": "RGB"} if palette else {}),
        "CMYK": "RGB",
        "YCbCr": "RGB",
        "LAB": "RGB",
        "HSV": "RGB",
    }
    pixels = np.asarray(image.convert(plain[image.mode]) if image.mode in plain else image)
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha, pixels = pixels[..., -1:], pixels[..., :-1]
        several = pixels.shape[2] == 3 and _coloured(pixels)
        if several or alpha.any():  # grey that is transparent everywhere is what it shows
            pixels = np.where(alpha == 0, 0, pixels)
    return pixels


def _coloured(pixels: Array) -> bool:
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return bool((red != green).any() or (red != blue).any())


def read_grey(path: Path) -> Array:
    """(H, W) uint8: the numbers in a mask file. Raises DataError, with the colours, for one that
    holds colours."""
    pixels = read_mask_file(path)
    if pixels.ndim == 2:
        return pixels
    values, counts = np.unique(as_numbers(pixels), return_counts=True)
    raise DataError(f"{path}: holds colours, not numbers: {shown_colours(values, counts)}")


def read_bright(path: Path) -> Array:
    """(H, W) bool: what a mask of one class marks, in white or in any bright colour. Its values are
    0 and 1, or about 0 and 255."""
    pixels = read_mask_file(path)
    grey = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    return np.asarray(grey > 0 if grey.max(initial=0) <= 1 else grey >= _OPAQUE)


def as_numbers(colours: Array) -> Array:
    """(...) int64: each colour of (..., 3) as one number."""
    return np.asarray(colours.astype(np.int64) @ np.array([65536, 256, 1]))


def hexed(number: int) -> str:
    """A colour as `#ff0000`."""
    return f"#{number:06x}"


def shown_colours(values: Sequence[int] | Array, counts: Sequence[int] | Array) -> str:
    """Colours with their numbers of pixels, the most frequent first, for a message."""
    order = np.argsort(-np.asarray(counts), kind="stable")
    parts = [f"{hexed(int(values[k]))} ({int(counts[k]):,} pixels)" for k in order[:8]]
    rest = len(order) - len(parts)
    return ", ".join(parts) + (f" and {rest} more" if rest > 0 else "")


def main_colours(counts: Mapping[int, int]) -> tuple[list[int], int]:
    """The colours that JPEG or smooth edges left others beside, the most frequent first; and how
    far, in one channel, the farthest of the others is from the nearest of them, at most 127.

    counts: how many pixels have each colour (see `as_numbers`). A rare colour between two main ones
    is their edge. Nearly black is black.
    """
    found = np.array(sorted(counts, key=lambda colour: -counts[colour]))
    values = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    share = np.array([counts[int(colour)] for colour in found]) / sum(counts.values())
    values[values.max(axis=1) <= _SAME] = 0
    main = list[int]()
    for place, colour in enumerate(values[:256]):
        near = share[np.abs(values - colour).max(axis=1) <= _SAME].sum()
        apart = (np.abs(values[main] - colour).max(axis=1) > _APART).all()
        edge = near < _EDGE and any(
            _from_line(colour, values[a], values[b]) < _APART for a, b in combinations(main, 2)
        )
        if near >= _RARE and apart and not edge:
            main.append(place)
    reach = np.abs(values[:, None] - values[main]).max(axis=2).min(axis=1, initial=255).max()
    return [int(as_numbers(values[[place]])[0]) for place in main], min(127, int(reach))


def _from_line(point: Array, one: Array, other: Array) -> float:
    """How far a point is from the line from one to the other."""
    way = other - one
    along = np.clip((point - one) @ way / max(1, way @ way), 0, 1)
    return float(np.linalg.norm(point - one - along * way))


def numbers_of(
    pixels: Array, colours: Sequence[tuple[Colour, int]], tolerance: int
) -> tuple[Array, Array]:
    """(H, W) uint8: the number of each pixel's colour; and the pixels (K, 3) that have none.

    colours: a colour and its number. tolerance: how far each channel may be from it; of several
    colours in reach the nearest is taken.
    """
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    found, inverse = np.unique(as_numbers(rgb), return_inverse=True)
    values = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    known = np.array([colour for colour, _ in colours])
    apart = np.abs(values[:, None] - known[None])
    near = apart.max(axis=2) <= tolerance
    nearest = np.where(near, (apart**2).sum(axis=2), 1 << 30).argmin(axis=1)
    numbers = np.array([number for _, number in colours])[nearest]
    lost = ~near.any(axis=1)
    strange = rgb[lost[inverse].reshape(rgb.shape[:2])]
    return numbers[inverse].reshape(rgb.shape[:2]).astype(np.uint8), strange
