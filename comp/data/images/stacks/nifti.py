"""NIfTI volumes: slices along the third axis, as they are stored (nibabel)."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import numpy as np

from comp.core.errors import DataError, reason
from comp.data.images.limits import refuse_bomb
from comp.data.images.stacks.stack import MOST_VALUES, Stack

Pixels = np.ndarray[Any, Any]

_GZIP = b"\x1f\x8b"
_HEADER = 540  # bytes of the longer header
_MOST_BYTES = MOST_VALUES * 8


def is_nifti(content: bytes) -> bool:
    """Whether a file is a NIfTI volume, packed by gzip or not."""
    if content.startswith(_GZIP):
        try:
            content = zlib.decompressobj(31).decompress(content[:4096], _HEADER)
        except zlib.error:
            return False
    return content[344:348] == b"n+1\x00" or content[4:8] == b"n+2\x00"


def nifti_size(content: bytes) -> tuple[int, int]:
    """Height and width of a slice, from the header."""
    if content.startswith(_GZIP):
        content = zlib.decompressobj(31).decompress(content, 1 << 16)
    shape = _opened(content).shape
    return int(shape[1]), int(shape[0])


def read_nifti(content: bytes) -> Stack:
    """The slices of a volume, [:, :, n] of nibabel, the first axis from left to right and the
    second from top to bottom; further axes follow one after another. With its slope and intercept.

    Raises DataError for a damaged file.
    """
    if content.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                content = stream.read(_MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as problem:
            raise DataError(f"a damaged NIfTI file ({reason(problem)})") from problem
    image = _opened(content)
    shape = tuple(image.shape)
    if len(shape) < 2 or min(shape) < 1:
        raise DataError(f"a NIfTI file of the shape {shape}, which is no image")
    refuse_bomb(shape[0], shape[1])
    if int(np.prod(shape)) > MOST_VALUES:
        raise DataError(f"a volume of the shape {shape}: more than {MOST_VALUES:,} values")
    from nibabel import orientations

    axes: Any = orientations.aff2axcodes

    try:
        values = np.asanyarray(image.dataobj)
    except Exception as problem:  # whatever a file that was cut makes it raise
        raise DataError(f"a damaged NIfTI file ({reason(problem)})") from problem
    if values.dtype.kind not in "uif":
        raise DataError(f"a NIfTI file of {values.dtype}; save it as int16 or float32")
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
    flat = values.reshape(shape[0], shape[1], -1, order="F")
    turned = "".join(map(str, axes(image.affine)))
    mode = f"{image.get_data_dtype()}, {turned}, {flat.shape[2]} slices"
    return Stack(np.transpose(flat, (1, 0, 2)), "NIfTI", mode)


def _opened(content: bytes) -> Any:
    try:
        import nibabel
    except ImportError as problem:
        raise DataError('NIfTI is read by nibabel: pip install "comp[medical]"') from problem
    make: Any = nibabel.Nifti2Image if content[4:8] == b"n+2\x00" else nibabel.Nifti1Image
    try:
        return make.from_bytes(content)
    except Exception as problem:  # whatever a damaged header makes it raise
        raise DataError(f"a damaged NIfTI file ({reason(problem)})") from problem
