"""DICOM: the pixels, and of the rest only what says how they are shown (pydicom).

Nothing else of a file is read: no name, no number and no date of a patient can reach a report.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from comp.core.errors import DataError
from comp.data.images.limits import refuse_bomb
from comp.data.images.stacks.stack import MOST_VALUES, Stack, Window, as_planes

Pixels = np.ndarray[Any, Any]

_PREAMBLE, _MAGIC = 128, b"DICM"
_PALETTES = tuple(
    f"{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for part in ("Descriptor", "Data")
)
_HEADER = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    *_PALETTES,
)
_PIXELS = (
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)


def is_dicom(content: bytes) -> bool:
    """Whether a file is DICOM."""
    return content[_PREAMBLE : _PREAMBLE + 4] == _MAGIC


def dicom_size(content: bytes) -> tuple[int, int]:
    """Height and width, from the header."""
    header = _opened(content, _HEADER, before_pixels=True)
    return int(header.Rows), int(header.Columns)


def read_dicom(content: bytes) -> Stack:
    """The planes of a DICOM file, rescaled: its frames, or red, green and blue.

    Raises DataError for a damaged file and for pixels in a form that cannot be decoded here.
    """
    found = _opened(content, (*_HEADER, *_PIXELS))
    height, width = int(found.Rows), int(found.Columns)
    frames, samples = int(found.get("NumberOfFrames") or 1), int(found.get("SamplesPerPixel") or 1)
    refuse_bomb(width, height)
    if height * width * frames * samples > MOST_VALUES:
        raise DataError(f"{frames} frames of {width} x {height}: more than {MOST_VALUES:,} values")
    stored = _decoded(found)
    if samples > 1:
        whole = stored if stored.ndim == 4 else stored[None]
        planes = np.concatenate([*whole], axis=2)
    else:
        planes = as_planes(np.moveaxis(stored, 0, 2) if stored.ndim == 3 else stored)
    light = str(found.get("PhotometricInterpretation") or "")
    if light == "PALETTE COLOR":
        planes = _coloured(planes, found)
    colours = samples == 3 or light == "PALETTE COLOR"
    return Stack(
        planes if colours else _rescaled(planes, found),
        "DICOM",
        f"{light}, {int(found.get('BitsStored') or found.BitsAllocated)} bits, {frames} frames",
        colours=colours,
        inverted=light == "MONOCHROME1",
        window=None if colours else _window(found),
    )


def _opened(content: bytes, tags: tuple[str, ...], *, before_pixels: bool = False) -> Any:
    """The data set with these elements alone."""
    try:
        import pydicom
    except ImportError as problem:
        raise DataError('DICOM is read by pydicom: pip install "comp[medical]"') from problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            found = pydicom.dcmread(
                io.BytesIO(content), specific_tags=[*tags], stop_before_pixels=before_pixels
            )
            lacking = [name for name in ("Rows", "Columns", "BitsAllocated") if name not in found]
    except Exception as problem:  # whatever a damaged file makes it raise; its text may be private
        raise DataError(f"a damaged DICOM file ({type(problem).__name__})") from None
    if lacking:
        raise DataError(f"a DICOM file without an image: it has no {', '.join(lacking)}")
    return found


def _decoded(found: Any) -> Pixels:
    syntax = getattr(found.file_meta.get("TransferSyntaxUID"), "name", "unknown")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(found.pixel_array)
    except Exception as problem:  # of pydicom or of a codec; its text may be private
        raise DataError(
            f"a DICOM file whose pixels cannot be decoded ({type(problem).__name__}; transfer "
            f"syntax {syntax}). They are cut off, or need another package: "
            'pip install "comp[medical]" has those for the usual ones'
        ) from None


def _coloured(planes: Pixels, found: Any) -> Pixels:
    from pydicom.pixels.processing import apply_color_lut

    frames = [np.asarray(apply_color_lut(planes[..., n], found)) for n in range(planes.shape[2])]
    return np.concatenate(frames, axis=2)


def _rescaled(planes: Pixels, found: Any) -> Pixels:
    """In the units of the device, such as Hounsfield; whole numbers where they stay whole."""
    from pydicom.pixels.processing import apply_modality_lut

    values = np.asarray(apply_modality_lut(planes, found))
    if values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        if -(1 << 31) <= low <= high < 1 << 31 and bool((values == np.rint(values)).all()):
            values = values.astype(np.int32)
        else:
            values = values.astype(np.float32)
    return values


def _window(found: Any) -> Window | None:
    """What the file shows of its values: its first window, or its first table."""
    centre, width = _first(found.get("WindowCenter")), _first(found.get("WindowWidth"))
    if centre is not None and width is not None and width > 0:
        how = str(found.get("VOILUTFunction") or "LINEAR")
        return lambda values: _shown(values, centre, width, how)
    if "VOILUTSequence" in found:
        return lambda values: _by_table(values, found)
    return None


def _shown(values: Pixels, centre: float, width: float, how: str) -> Pixels:
    """DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3, from 0 to 1."""
    x = values.astype(np.float32)
    if how == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (x - centre) / width, -80, 80))))
    if how == "LINEAR_EXACT" or width <= 1:
        return np.asarray(np.clip((x - centre) / max(width, 1e-6) + 0.5, 0, 1))
    return np.asarray(np.clip((x - (centre - 0.5)) / (width - 1) + 0.5, 0, 1))


def _by_table(values: Pixels, found: Any) -> Pixels:
    from pydicom.pixels.processing import apply_voi

    bits = int(found.VOILUTSequence[0].LUTDescriptor[2])
    shown = np.asarray(apply_voi(values, found), dtype=np.float32)
    return np.asarray(np.clip(shown / ((1 << bits) - 1), 0, 1))


def _first(value: Any) -> float | None:
    """The first of one number or of several; None where there is none."""
    try:
        several = hasattr(value, "__iter__") and not isinstance(value, str)
        return float(next(iter(value)) if several else value)
    except (TypeError, ValueError, StopIteration):
        return None
