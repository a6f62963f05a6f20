"""Which files are images, by how they end or begin, and how the others are told."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_ALWAYS = (
    ".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .webp .gif .tif .tiff .jp2 .j2k .j2c .jpf .jpx "
    ".jpc .ppm .pgm .pbm .pnm .tga .pcx .sgi .ras .qoi .mpo"
)
ARRAYS = frozenset((".npy", ".npz"))
_VOLUMES = frozenset((".dcm", ".dicom", ".nii", ".nii.gz"))
_PACKED_VOLUME = ".nii.gz"
_DICOM_AT, _DICOM = 128, b"DICM"
_WITH_PLUGINS = (".avif", ".jxl", ".heic", ".heif")  # where Pillow, as it is installed, reads them
_TEXTS = (
    ".csv .tsv .tab .txt .json .jsonl .xml .yaml .yml .md .html .htm .log .py .ipynb .parquet .pq "
    ".xlsx .xls"
)
_PACKED = (".gz", ".zip", ".bz2", ".xz")  # a table may lie in one, as train.csv.gz
_NO_IMAGES = (  # not looked into, as a file of any other name is
    ".pdf .zip .gz .bz2 .xz .tar .7z .rar .db .ini .pkl .pt .pth .h5 .hdf5 .mp4 .avi "
    ".mov .doc .docx"
)
_LEFT_BY_SYSTEMS = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db"))
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"\x00\x00\x00\x0cjP  ",
    b"\xff\x4f\xff\x51",
    b"\x93NUMPY",
    b"qoif",
    *(f"P{number}{space}".encode() for number in range(1, 7) for space in "\n\r\t "),
)


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of images, in lower case with their dot: what the decoders here can read."""
    from PIL import Image

    known = Image.registered_extensions()
    plugins = {suffix for suffix in _WITH_PLUGINS if known.get(suffix) in Image.OPEN}
    return frozenset((*_ALWAYS.split(), *ARRAYS, *_VOLUMES, *plugins))


def image_suffix(name: str) -> str:
    """The suffix as it is written, when it is one of an image; else nothing."""
    if name.lower().endswith(_PACKED_VOLUME):
        return name[-len(_PACKED_VOLUME) :]
    suffix = os.path.splitext(name)[1]  # noqa: PTH122  (an id is text, not a path)
    return suffix if suffix.lower() in suffixes() else ""


def stem_of(name: str) -> str:
    """A name without the suffix of an image."""
    return name[: len(name) - len(image_suffix(name))]


def is_text(name: str) -> bool:
    """Whether a file is a text or a table, packed or not: it lies beside images and is none."""
    end = _end(name)
    return _end(name[: -len(end)] if end in _PACKED else name) in _TEXTS.split()


def _end(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def is_left_over(name: str) -> bool:
    """Whether an operating system left a file of this name: it is no data."""
    return name.rpartition("/")[2].casefold() in _LEFT_BY_SYSTEMS


def image_names(files: Sequence[tuple[str, Path]]) -> frozenset[str]:
    """The names of the files that are images, of (relative name, file).

    By the suffix; where that says nothing, by the first bytes. An array (.npy, .npz) beside a
    picture of the same name holds something else about it, and is none.
    """
    ending = [name for name, _ in files if image_suffix(name)]
    pictures = {stem_of(n) for n in ending if image_suffix(n).lower() not in ARRAYS}
    kept = {
        name
        for name in ending
        if image_suffix(name).lower() not in ARRAYS or stem_of(name) not in pictures
    }
    return frozenset(kept | {name for name, path in files if _begins_like_one(name, path)})


def _begins_like_one(name: str, path: Path) -> bool:
    named = image_suffix(name) or _end(name) in _NO_IMAGES.split() or is_text(name)
    if named or is_left_over(name):
        return False
    try:
        with path.open("rb") as handle:
            begin = handle.read(_DICOM_AT + len(_DICOM))
    except OSError:
        return False
    webp = begin[:4] == b"RIFF" and begin[8:12] == b"WEBP"
    avif = begin[4:12] == b"ftypavif" and ".avif" in suffixes()
    bitmap = begin[:2] == b"BM" and begin[6:10] == bytes(4)
    dicom = begin[_DICOM_AT:] == _DICOM
    return webp or avif or bitmap or dicom or begin.startswith(_BEGINNINGS)


def told(names: Sequence[str]) -> str:
    """Files that are no images, by suffix: "12 .heic, 3 without suffix"."""
    ends = Counter(os.path.splitext(name)[1] or "without suffix" for name in names)  # noqa: PTH122
    return ", ".join(f"{count} {suffix}" for suffix, count in ends.most_common(8))
