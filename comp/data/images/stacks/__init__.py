"""Files of several planes: TIFF, DICOM, NIfTI, arrays, and pictures as they are stored."""
