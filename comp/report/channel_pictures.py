"""Pictures of each channel of some images, as a network is shown them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from comp.core.errors import CheckError
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import picture_of
from comp.data.index.index import Index
from comp.data.index.sources import Source
from comp.report.page import embedded, shrunk

Pixels = np.ndarray[Any, Any]

_IMAGES, _SIDE = 4, 160  # shown of the training set, evenly spread; pixels of a picture


def channel_names(form: PixelForm, files: Sequence[str]) -> list[str]:
    """What each channel is: a window, or a plane of a file; numbers where nothing says more.

    files: the patterns of `data.files`.
    """
    planes = [f"channel {number}" for number in range(form.planes)]
    if files and form.planes % len(files) == 0:
        each = form.planes // len(files)
        planes = [
            name if each == 1 else f"{name}, plane {place}"
            for name in files
            for place in range(each)
        ]
    if not isinstance(form.windows, tuple):
        return planes
    shown = [f"window {centre:g}, {width:g}" for centre, width in form.windows]
    return [w if form.planes == 1 else f"{name}, {w}" for w in shown for name in planes]


def channel_pictures(
    index: Index, form: PixelForm, files: Sequence[str], read: Callable[[Source], Pixels]
) -> list[dict[str, Any]]:
    """For some images their id and a picture of each channel, with its lowest and highest value as
    shares of the range. None for usual pictures. read: the pixels of an image.
    """
    if form.plain or not len(index):
        return []
    names, out = channel_names(form, files), list[dict[str, Any]]()
    for row in np.unique(np.linspace(0, len(index) - 1, _IMAGES).astype(int)).tolist():
        try:
            pixels = read(index.source(row))
        except CheckError:  # a finding of its own
            continue
        pictures = []
        for place, name in enumerate(names):
            own = pixels[..., place : place + 1]
            low, high = (float(value) / form.top for value in (own.min(), own.max()))
            picture = np.ascontiguousarray(shrunk(picture_of(own), _SIDE))
            pictures.append(
                {"caption": f"{name}: {low:.2f} to {high:.2f}", "src": embedded(picture)}
            )
        out.append({"id": index.ids[row], "pictures": pictures})
    return out
