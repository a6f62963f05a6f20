"""The size and orientation of an image, from its header alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.stacks.files import size_of

Pixels = np.ndarray[Any, Any]


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright image in `path`, from its header.

    Raises DataError where it cannot be read.
    """
    (height, width), turned = stored_size(path)
    return (width, height) if turned > 4 else (height, width)


def stored_size(path: Path) -> tuple[tuple[int, int], int]:
    """Height and width of an image as it is stored, and its EXIF orientation, 1 to 8."""
    try:
        known = size_of(Path(path))
        if known is not None:
            return known, 1
        with Image.open(path) as image:
            return (image.height, image.width), int(image.getexif().get(_ORIENTATION, 1) or 1)
    except Exception as problem:  # Pillow's readers raise whatever a broken header makes them
        raise DataError(f"{path}: its header cannot be read ({problem})") from problem


_ORIENTATION = 0x0112  # in EXIF: 1 upright; 5 to 8 lie on their side
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda mask: mask[:, ::-1],
    3: lambda mask: mask[::-1, ::-1],
    4: lambda mask: mask[::-1],
    5: lambda mask: mask.transpose(1, 0, 2),
    6: lambda mask: mask.transpose(1, 0, 2)[:, ::-1],
    7: lambda mask: mask[::-1, ::-1].transpose(1, 0, 2),
    8: lambda mask: mask.transpose(1, 0, 2)[::-1],
}


def upright_mask(mask: Pixels, path: Path) -> Pixels:
    """The mask (H, W, L) of an image turned as its EXIF data turn the image.

    A mask of the size that the image is stored in is turned with it; one that has the upright size
    already is left. Raises DataError, with both sizes, for any other.
    """
    stored, orientation = stored_size(path)
    upright = stored[::-1] if orientation > 4 else stored
    if mask.shape[:2] == stored and orientation in _UPRIGHT:
        return np.ascontiguousarray(_UPRIGHT[orientation](mask))
    if mask.shape[:2] != upright:
        found, want = (f"{size[1]} x {size[0]}" for size in (mask.shape[:2], upright))
        raise DataError(f"{path}: the mask is {found} pixels, the image {want}")
    return mask
