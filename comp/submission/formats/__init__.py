"""The formats of submission files: one table, one module per format."""

from comp.submission.formats.boxes import BoxFormat
from comp.submission.formats.coco import CocoFormat
from comp.submission.formats.csv import CsvFormat
from comp.submission.formats.format import Answers, Competition, Format
from comp.submission.formats.object_rows import ObjectFormat
from comp.submission.formats.png import PngFormat
from comp.submission.formats.rle import RleFormat

FORMATS: dict[str, type[Format]] = {
    "csv": CsvFormat,
    "rle": RleFormat,
    "png": PngFormat,
    "coco": CocoFormat,
    "boxes": BoxFormat,
    "objects": ObjectFormat,
}

__all__ = ["FORMATS", "Answers", "Competition", "Format"]
