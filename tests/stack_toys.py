"""Drawn files of several planes: DICOM with private fields, NIfTI, TIFF, arrays."""

from __future__ import annotations

import io
from typing import Any

import nibabel
import numpy as np
import tifffile
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

Pixels = np.ndarray[Any, Any]

PRIVATE = {
    "PatientName": "Doe^Secret",
    "PatientID": "PID-4711",
    "PatientBirthDate": "19700102",
    "InstitutionName": "Hidden Hospital",
}


def dicom(pixels: Pixels, **over: Any) -> bytes:
    """A DICOM file of (H, W), (frames, H, W) or (H, W, 3) pixels; over: its elements, and
    `packed` for run lengths."""
    packed = over.pop("packed", False)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID = meta.MediaStorageSOPClassUID
    found.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    colours = pixels.ndim == 3 and pixels.shape[2] == 3
    frames = pixels.ndim == 3 and not colours
    bits = pixels.dtype.itemsize * 8
    values = {
        **PRIVATE,
        "Rows": pixels.shape[1 if frames else 0],
        "Columns": pixels.shape[2 if frames else 1],
        "SamplesPerPixel": 3 if colours else 1,
        "PhotometricInterpretation": "RGB" if colours else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"NumberOfFrames": pixels.shape[0]} if frames else {}),
        **({"PlanarConfiguration": 0} if colours else {}),
        **over,
    }
    for name, value in values.items():
        setattr(found, name, value)
    found.PixelData = np.ascontiguousarray(pixels).tobytes()
    if packed:
        found.compress(RLELossless)
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def nifti(volume: Pixels, *, slope: float = 1.0, inter: float = 0.0) -> bytes:
    """A NIfTI file of a volume (X, Y, Z)."""
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(slope, inter)
    return bytes(image.to_bytes())


def tiff(pixels: Pixels, **options: Any) -> bytes:
    """A TIFF of (H, W), (pages, H, W) or (H, W, channels with planarconfig) pixels."""
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **{"photometric": "minisblack", **options})
    return out.getvalue()


def npy(array: Pixels) -> bytes:
    """A .npy of an array."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()
