"""What a pack can hold: images at their final size, the image files' own bytes, or masks.

Each is one entry of `CONTENTS`; `comp.data.cache.pack` builds and opens all of them in one way.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import USUAL_LEAST, ImageConfig
from comp.core import files
from comp.core.checksums import digest_lines
from comp.core.errors import DataError, PackError
from comp.core.files import UNKNOWN
from comp.data.cache.bound import bound
from comp.data.cache.build import Origin, Row, of_files
from comp.data.cache.guard import Guard
from comp.data.cache.mask_store import PackedMasks
from comp.data.cache.store import Decoded, Encoded, Guarded
from comp.data.images.crops import fitted
from comp.data.images.deep import Outside
from comp.data.images.pixel_form import form_of
from comp.data.images.reading import develop
from comp.data.images.resize import fit_mask
from comp.data.index.index import Index
from comp.data.index.sources import Source

Pixels = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_BYTE = np.dtype(np.uint8)
FORMAT = 2  # of packs, and of what decoding and resizing give; a new number is a new folder


@dataclass(frozen=True)
class Content:
    """One file of a pack: a row for each image of an index, in the order of its ids.

    `name`        what the rows are, for messages
    `folder`      the name of its folder in the cache: it follows from ids, file names and settings
    `file`        the name of the file
    `settings`    a text; another text is another pack
    `origin`      where each row comes from
    `header`      the bytes that open the file
    `needed`      the bytes of all rows together
    `open`        file, guard of its rows -> an object that is used like an array
    `of_files`    whether a row is made from image files; else its digest is at hand
    `outside`     which images have values outside of `image.range`, while rows are made
    """

    name: str
    folder: str
    file: str
    settings: str
    origin: Origin
    header: bytes
    needed: int
    open: Callable[[Path, Guard], Any]
    of_files: bool = True
    outside: Outside = field(default_factory=Outside)

    def key(self, ids: Sequence[str], rows: Sequence[Row]) -> str:
        """SHA-256, as hex, of the settings and of what each row was made from."""
        pairs = (f"{name}\x1f{row.digest}" for name, row in zip(ids, rows, strict=True))
        return digest_lines(itertools.chain([self.settings], pairs))


def _images_at_size(index: Index, image: ImageConfig) -> Content:
    """Every image decoded and resized: (N, size, size, C) uint8 or uint16 in a .npy."""
    form, outside = form_of(image), Outside()
    shape = (len(index), image.size, image.size, image.channels)
    settings = f"{FORMAT} {image.pack} {image.size} {image.resize}"
    settings += form.settings + _crop_settings(index, image)

    def payload(contents: list[bytes], row: int) -> Pixels:
        box = None if index.boxes is None else index.boxes[row]
        pixels = develop(contents, form, index.source(row).slices, outside)
        return fitted(pixels, image, box)

    return Content(
        name="images",
        folder=_folder_of_files(settings, index),
        file="images.npy",
        settings=settings,
        origin=of_files(index.all_sources, payload),
        header=npy_header(shape, form.dtype),
        needed=int(np.prod(shape)) * form.dtype.itemsize,
        open=lambda path, guard: Guarded(_map_npy(path, shape, form.dtype), guard),
        outside=outside,
    )


def _encoded_images(index: Index, image: ImageConfig) -> Content:
    """The bytes of every image file, one after another: the same for every size."""
    settings, form, outside = f"{FORMAT} encoded", form_of(image), Outside()
    if any(number is not None for source in index.all_sources for number in source.slices):
        settings += f" {form.planes} {form.slices}"  # of each volume some slices are kept

    def payload(contents: list[bytes], row: int) -> bytes:
        source = index.source(row)
        # What cannot be decoded is reported now, not in hour three
        develop(contents, form, source.slices, outside)
        return bound(contents, source, form)

    return Content(
        name="images",
        folder=_folder_of_files(settings, index),
        file="images.bin",
        settings=settings,
        origin=of_files(index.all_sources, payload),
        header=b"",
        needed=sum(files.file_stat(path)[0] for path in _all_files(index)),
        open=lambda path, guard: Decoded(
            Encoded(path, guard, form, index.sources), index.ids, image, index.boxes
        ),
        outside=outside,
    )


def _all_files(index: Index) -> list[Path]:
    """The files of all images; a volume of several images once."""
    return [*dict.fromkeys(path for source in index.all_sources for path in source.files)]


def _masks(index: Index, image: ImageConfig) -> Content:
    """Every mask, moved as its image is: (N, size, size, L) uint8 in a .npy.

    The digest of a mask is known without making it, so no mask is made to see whether the pack is
    whole. Raises DataError for an index without masks.
    """
    masks, digests = index.masks, index.marks
    if masks is None:
        raise DataError("these images have no masks")
    shape = (len(index), image.size, image.size, masks.layers)
    settings = f"{FORMAT} masks {image.size} {image.resize} {masks.layers}"

    def make(row: int) -> tuple[str, Pixels]:
        return digests[row], fit_mask(masks.read(row), image.size, image.resize)

    return Content(
        name="masks",
        folder=f"masks-{digest_lines([settings, *index.ids])[:16]}",
        file="masks.npy",
        settings=settings,
        origin=Origin(lambda row: UNKNOWN, lambda row: digests[row], make),
        header=npy_header(shape),
        needed=int(np.prod(shape)),
        open=lambda path, guard: PackedMasks(Guarded(_map_npy(path, shape), guard)),
        of_files=False,
    )


CONTENTS: dict[str, Callable[[Index, ImageConfig], Content]] = {
    "memmap": _images_at_size,
    "encoded": _encoded_images,
    "masks": _masks,
}


def _crop_settings(index: Index, image: ImageConfig) -> str:
    """What is cut out of the images, as a text; "" where they are whole."""
    if index.boxes is None and image.crop == "none":
        return ""
    least = image.crop_least
    room = f"{image.crop_margin:g}{'' if least == USUAL_LEAST else f' {least:g}'}"
    if index.boxes is None:
        return f" {image.crop} {room}"
    return f" boxes {digest_lines(map(str, index.boxes))[:16]} {room}"


def _folder_of_files(settings: str, index: Index) -> str:
    names = (
        "\x1f".join((name, *_told(source)))
        for name, source in zip(index.ids, index.all_sources, strict=True)
    )
    return digest_lines(itertools.chain([settings], names))[:16]


def _told(source: Source) -> Iterator[str]:
    """The names of the files of an image, with their folders."""
    for path, number in zip(source.files, source.slices, strict=True):
        yield from (path.parent.name, path.name)
        if number is not None:
            yield f"#{number}"


def npy_header(shape: Shape, kind: np.dtype[Any] = _BYTE) -> bytes:
    """The beginning of a .npy file of uint8, or another kind of number, in this shape."""
    about = np.lib.format.header_data_from_array_1_0(np.empty((0, *shape[1:]), dtype=kind))
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {**about, "shape": shape})
    return out.getvalue()


def _map_npy(path: Path, shape: Shape, kind: np.dtype[Any] = _BYTE) -> Pixels:
    array: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.shape != shape or array.dtype != kind:
        raise PackError(f"{path}: holds {array.shape} {array.dtype}, expected {shape} {kind}")
    return array
