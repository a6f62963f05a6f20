"""NumPy arrays as images of any number of channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.core.errors import DataError
from comp.data.images.deep import load_array
from comp.data.images.limits import refuse_bomb
from comp.data.images.stacks.stack import MOST_VALUES, Stack, as_planes

Pixels = np.ndarray[Any, Any]


def read_array_stack(content: bytes) -> Stack:
    """The planes of a .npy, or of the only array of an .npz.

    Of three axes the shorter of the first and the last is that of the planes; the last where both
    are as long. DataError, with dtype and shape, for what cannot be an image.
    """
    found = load_array(content)
    what = f"an array of {found.dtype}, shape {found.shape}"
    if found.dtype.kind not in "uif" or found.ndim not in (2, 3) or not found.size:
        raise DataError(f"{what}; an image is (height, width) or (height, width, channels)")
    first = found.ndim == 3 and found.shape[0] < found.shape[2]
    planes = as_planes(np.moveaxis(found, 0, 2) if first else found)
    refuse_bomb(planes.shape[1], planes.shape[0])
    if planes.size > MOST_VALUES:
        raise DataError(f"{what}: more than {MOST_VALUES:,} values")
    return Stack(planes, "NPY", f"{found.dtype}, {planes.shape[2]} planes")
