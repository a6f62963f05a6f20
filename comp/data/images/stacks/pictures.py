"""PNG, JPEG and other pictures with the channels that they have."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError
from comp.data.images.decode import decode_image, open_image
from comp.data.images.deep import deep_pixels
from comp.data.images.endings import mended_png
from comp.data.images.stacks.stack import Stack, as_planes

Pixels = np.ndarray[Any, Any]

_CLEAR = ("LA", "La", "RGBA", "RGBa", "PA")


def read_picture(content: bytes) -> Stack:
    """The planes of a picture: one of grey, three of colours; alpha is one more.

    Palettes and other colours become RGB, grey JPEGs too. DataError where it cannot be decoded.
    """
    if not content:
        raise DataError("an empty file")
    image = open_image(content)
    assert isinstance(image, Image.Image), "arrays are read elsewhere"
    kind, mode = image.format or "", image.mode
    try:
        deep = deep_pixels(mended_png(content), image)
        if deep is not None:
            planes = as_planes(deep)
            count = planes.shape[2]
            return Stack(planes, kind, f"{planes.dtype}", count >= 3, count in (2, 4))
        if mode in _CLEAR:
            image = Image.open(io.BytesIO(mended_png(content)))
            image.load()
            upright = ImageOps.exif_transpose(image)
            upright = upright.convert("LA" if mode in ("LA", "La") else "RGBA")
            planes = np.array(upright)
            return Stack(planes, kind, mode, planes.shape[2] == 4, alpha=True)
    except DataError:
        raise
    except Exception as problem:  # Pillow's readers raise whatever broken pixels make them
        raise DataError(f"cannot be decoded ({problem})") from problem
    pixels = decode_image(content)
    grey = mode in ("1", "L")
    return Stack(pixels[..., :1] if grey else pixels, kind, mode, not grey)
