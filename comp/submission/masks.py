"""Submissions of masks: run lengths in the rows of a sample, or PNG files, or COCO results."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import DataError, SubmissionError, complain, first
from comp.data.images.decode import image_size
from comp.data.index.index import Index
from comp.data.index.sample_rows import Asked, odd_rows, read_asked
from comp.data.index.tables import read_table
from comp.data.masks import rle
from comp.submission.form import Form
from comp.submission.mask_reading import picture_names
from comp.submission.sample import Sample, make_sample, sample_of

Array = np.ndarray[Any, Any]

_JOINED, _RUNS = "ImageId_ClassId", "EncodedPixels"  # of a sample of our own
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time in a zip: the same masks are the same bytes


def mask_sample(
    path: Path | None, key: str, test: Index, codes: Sequence[str]
) -> tuple[Sample, Asked]:
    """The sample of a competition, and what its rows ask for; without one, a row an image and
    class. Raises DataError for rows that ask twice, and for classes that are unknown."""
    if path is None:
        pairs = [(name, code) for name in test.ids for code in codes]
        asked = Asked(tuple(i for i, _ in pairs), tuple(c for _, c in pairs), joined=True)
        return make_sample(_JOINED, [_RUNS], [f"{i}_{c}" for i, c in pairs]), asked
    table, known = read_table(path), set(test.ids)
    key = key if key in table.columns else table.columns[0]
    asked = read_asked(table, key, known.__contains__)
    complaints = odd_rows(asked, codes)
    if None in asked.codes and len(codes) > 1:
        complaints.append(f"its rows name no class, and there are {len(codes)}: {first(codes)}")
    rest = [name for name in table.columns if name != key]
    if not rest:
        complaints.append(f"only one column, {key!r}; a column of run lengths is needed")
    complain(DataError, f"{path}: not a sample of masks:", complaints)
    return sample_of(table, key, rest[:-1]), asked


def mask_form(
    sample: Sample,
    asked: Asked,
    test: Index,
    classes: tuple[str, ...],
    codes: Sequence[str],
    data: DataConfig,
) -> Form:
    """How run lengths fill the sample, and what is wrong with a cell."""
    place = {name: row for row, name in enumerate(test.ids)}
    number_of = {code: number for number, code in enumerate(codes)}
    sizes: dict[str, int] = {}

    def fault(row: int, cell: str) -> str | None:
        if not cell.strip():
            return None  # an empty mask
        name = asked.images[row] if row < len(asked.images) else ""
        if name not in place:
            return None  # the ids are complained of
        if name not in sizes:
            height, width = image_size(test.paths[place[name]])
            sizes[name] = height * width
        try:
            rle.runs(cell, sizes[name])
        except DataError as problem:
            return f"are no run lengths of their image ({str(problem).split(':')[0]})"
        return None

    def tally(cells: Sequence[str]) -> dict[str, float]:
        found = dict.fromkeys(classes, 0.0)
        for cell, code in zip(cells, asked.codes, strict=True):
            found[classes[number_of.get(code or "", 0)]] += bool(cell.strip())
        return {name: value / max(1, len(asked.ids)) for name, value in found.items()}

    def cells(labels: Array, probs: Array | None) -> list[list[str]]:
        raise AssertionError("masks are written image by image")

    return Form(classes, cells, None, fault=fault, tally=tally)


@dataclass
class RunWriter:
    """The cells of a sample, filled image by image."""

    asked: Asked
    codes: Sequence[str]
    order: str

    def __post_init__(self) -> None:
        self.cells = [""] * len(self.asked.images)
        self._rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.asked.images):
            self._rows.setdefault(name, []).append(row)
        self._number = {code: number for number, code in enumerate(self.codes, 1)}

    def add(self, name: str, mask: Array) -> None:
        """The rows of an image, from its mask (L, H, W)."""
        for row in self._rows.get(name, ()):
            number = self._number.get(self.asked.codes[row] or "", 1)
            layer = mask[0] == number if len(mask) < len(self.codes) else mask[number - 1] == 1
            text = rle.encode(layer, self.order)
            height, width = layer.shape
            if not (rle.decode(text, height, width, self.order) == layer).all():
                raise SubmissionError(f"{name}: its run lengths are not its mask")
            self.cells[row] = text


def overlapping(table: dict[str, tuple[str, ...]], asked: Asked, column: str) -> list[str]:
    """A warning where one pixel of an image is given to two classes."""
    by_image: dict[str, list[str]] = {}
    for name, cell in zip(asked.images, table[column], strict=True):
        if cell.strip():
            by_image.setdefault(name, []).append(cell)
    bad = [name for name, cells in by_image.items() if len(cells) > 1 and _overlap(cells)]
    if not bad:
        return []
    return [f"{len(bad)} images give a pixel to two classes: {first(bad)}"]


def _overlap(cells: Sequence[str]) -> bool:
    pairs = [rle.runs(cell, 1 << 62) for cell in cells]
    starts = np.concatenate([start for start, _ in pairs])
    ends = np.concatenate([start + length for start, length in pairs])
    order = np.argsort(starts)
    return bool((starts[order][1:] < ends[order][:-1]).any())


def write_zip(path: Path, masks: Iterable[tuple[str, Array]], classes: Sequence[str]) -> int:
    """Write a zip of PNG files, see `picture_names`, with the numbers of the classes, or layers of
    0 and 255; the number of files."""
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for image, mask in masks:
            for name, pixels in _pictures(image, mask, classes):
                coded = cv2.imencode(".png", pixels)[1].tobytes()
                out.writestr(zipfile.ZipInfo(name, _LONG_AGO), coded)
                count += 1
    return count


def _pictures(image: str, mask: Array, classes: Sequence[str]) -> list[tuple[str, Array]]:
    names = picture_names(image, classes, len(mask) == 1)
    if len(mask) == 1 and len(classes) > 1:
        return [(names[0], mask[0])]
    layers = [np.where(layer == 1, 255, 0).astype(np.uint8) for layer in mask]
    return list(zip(names, layers, strict=True))


def coco_results(
    name: int | str, mask: Array, probs: Array, codes: Sequence[str]
) -> list[dict[str, Any]]:
    """The regions of an image as COCO's results: packed run lengths, and the mean probability.

    mask: (L, H, W); probs: (C, H, W). A region is connected by edges and corners.
    """
    from pycocotools import mask as coco

    out: list[dict[str, Any]] = []
    for number, code in enumerate(codes, 1):
        layer = mask[0] == number if len(mask) < len(codes) else mask[number - 1] == 1
        if not layer.any():
            continue
        numbers = cv2.connectedComponents(layer.astype(np.uint8), connectivity=8)[1]
        own = probs[len(probs) - len(codes) + number - 1]
        for region in range(1, int(numbers.max()) + 1):
            part = numbers == region
            packed = coco.encode(np.asfortranarray(part.astype(np.uint8)))
            out.append(
                {
                    "image_id": name,
                    "category_id": int(code) if code.isdigit() else code,
                    "segmentation": {**packed, "counts": packed["counts"].decode()},
                    "score": round(float(own[part].mean()), 6),
                }
            )
    return out
