"""The files of one image as one row of a pack of encoded images.

A simple image is its file. Of several files each has its length before it. Of a slice of a volume
only the slice and its neighbours are kept, as an array: each slice of a volume would hold all of
it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.core.errors import DataError
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import chosen
from comp.data.index.sources import Source

Pixels = np.ndarray[Any, Any]

_LENGTH = 8  # bytes


def bound(contents: Sequence[bytes], source: Source, form: PixelForm) -> bytes:
    """The row of an image from the contents of its files."""
    if source.simple:
        return contents[0]
    kept = []
    parts = [content if number is None else b"" for content, number in
             zip(contents, source.slices, strict=True)]  # fmt: skip
    if any(number is not None for number in source.slices):
        cut = chosen(contents, form, source.slices)
        if any(part.inverted or part.window for part in cut):
            raise DataError(
                "a slice of DICOM frames that state how they are shown cannot be kept as an array; "
                "set image.pack to memmap or none"
            )
        parts = [part or _as_array(own.planes) for part, own in zip(parts, cut, strict=True)]
    for part in parts:
        kept += [len(part).to_bytes(_LENGTH, "little"), part]
    return b"".join(kept)


def bound_apart(row: bytes, source: Source) -> list[bytes]:
    """The contents of the files of an image from its row, slices as arrays."""
    if source.simple:
        return [row]
    parts, place = list[bytes](), 0
    while place < len(row):
        end = place + _LENGTH + int.from_bytes(row[place : place + _LENGTH], "little")
        parts.append(row[place + _LENGTH : end])
        place = end
    return parts


def bound_slices(source: Source) -> tuple[int | None, ...]:
    """The slices that are still to be taken from a row: none, they are arrays."""
    return (None,) * len(source.files)


def _as_array(planes: Pixels) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(planes))
    return out.getvalue()
