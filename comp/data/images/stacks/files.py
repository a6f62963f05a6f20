"""Which reader a file has, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from comp.core.errors import DataError
from comp.data.images.deep import is_array
from comp.data.images.stacks.arrays import read_array_stack
from comp.data.images.stacks.dicom import dicom_size, is_dicom, read_dicom
from comp.data.images.stacks.nifti import is_nifti, nifti_size, read_nifti
from comp.data.images.stacks.pictures import read_picture
from comp.data.images.stacks.stack import Stack
from comp.data.images.stacks.tiff import form_of_tiff, is_tiff, pages_of_tiff, read_tiff

_BEGIN = 1 << 16  # bytes that hold the header of a DICOM or NIfTI file


def read_stack(content: bytes) -> Stack:
    """The planes of a file of any format. Raises DataError where it cannot be read."""
    if is_array(content):
        return read_array_stack(content)
    if is_tiff(content):
        return read_tiff(content)
    if is_dicom(content):
        return read_dicom(content)
    if is_nifti(content):
        return read_nifti(content)
    return read_picture(content)


def of_several_planes(content: bytes) -> bool:
    """Whether a file is no usual picture: DICOM, NIfTI, or a TIFF of three grey pages."""
    if is_tiff(content):
        return content[2:4] in (b"+\x00", b"\x00+") or pages_of_tiff(content) == 3
    return is_dicom(content) or is_nifti(content)


def _known_to_pillow(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except Exception:  # of five channels, for one; its readers raise whatever they like
        return False


def size_of(path: Path) -> tuple[int, int] | None:
    """Height and width of the image in a file that Pillow does not know, from its header; None for
    a picture. Raises DataError for a damaged file."""
    with path.open("rb") as handle:
        begin = handle.read(_BEGIN)
        if is_dicom(begin):
            try:
                return dicom_size(begin)
            except DataError:  # a long header
                return dicom_size(begin + handle.read())
        if is_nifti(begin):
            return nifti_size(begin if len(begin) < _BEGIN else begin + handle.read())
        if is_array(begin):
            planes = read_array_stack(begin + handle.read()).planes
            return planes.shape[0], planes.shape[1]
        if is_tiff(begin) and not _known_to_pillow(path):
            return form_of_tiff(begin + handle.read())[:2]
    return None
