"""How two submissions of masks differ: a class at a time, by Dice, from their runs alone."""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.errors import DataError, SubmissionError, complain, first
from comp.data.index.sample_rows import read_asked
from comp.data.index.tables import Table, read_table
from comp.data.masks import rle
from comp.data.masks.coco_shapes import region_of
from comp.submission.mask_reading import is_table

Array = np.ndarray[Any, Any]
Runs = tuple[Array, Array]  # where they begin and end
Regions = dict[tuple[str, str], Runs]  # image, class -> its runs, where it has any

_ENDLESS = 1 << 62  # pixels of an image whose size is not known


@dataclass(frozen=True)
class ClassDiff:
    """One class in two submissions, in images: in which it is in `both`, in the `first` or the
    `second` only; `unlike` of both have other pixels. `dice`: the mean over the images in which
    one has it."""

    both: int
    unlike: int
    first: int
    second: int
    dice: float


@dataclass(frozen=True)
class MaskDiff:
    """Two submissions of masks: `images` that one has, `by_class`, and those images that differ,
    the least alike first, with the Dice of all their classes together."""

    images: int
    by_class: dict[str, ClassDiff]
    unlike: dict[str, float]


def compare_masks(one: Path, two: Path, id_column: str | None = None) -> MaskDiff | None:
    """The differences between two submissions of masks; None where they are tables without masks.

    Raises SubmissionError for files of two forms, or whose rows ask for other images.
    """
    if is_table(one) != is_table(two) or (not is_table(one) and one.suffix != two.suffix):
        raise SubmissionError(f"{one} and {two} cannot be compared: they are of two forms")
    if is_table(one):
        tables = read_table(one), read_table(two)
        if not all(_has_runs(table) for table in tables):
            return None
        keys = [id_column if id_column in t.columns else t.columns[0] for t in tables]
        ids = [set(t.values[key]) for t, key in zip(tables, keys, strict=True)]
        other = sorted(ids[0] ^ ids[1])
        wrong = [f"{len(other)} rows are in one only: {first(other)}"] if other else []
        complain(SubmissionError, f"{one} and {two} cannot be compared:", wrong)
        regions = [_of_table(t, key) for t, key in zip(tables, keys, strict=True)]
    else:
        read = _of_zip if one.suffix == ".zip" else _of_coco
        regions = [read(one), read(two)]
    return _compared(*regions)


def _compared(old: Regions, new: Regions) -> MaskDiff:
    dice = {key: _dice([old.get(key)], [new.get(key)]) for key in sorted({*old, *new})}
    by_class = {}
    for name in sorted({c for _, c in dice}):
        keys = [key for key in dice if key[1] == name]
        both = [key for key in keys if key in old and key in new]
        by_class[name] = ClassDiff(
            both=len(both),
            unlike=sum(dice[key] < 1 for key in both),
            first=sum(key not in new for key in keys),
            second=sum(key not in old for key in keys),
            dice=float(np.mean([dice[key] for key in keys])),
        )
    by_image: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for key in dice:
        by_image[key[0]].append(key)
    whole = {
        image: _dice([old.get(key) for key in keys], [new.get(key) for key in keys])
        for image, keys in by_image.items()
    }
    unlike = {image: value for image, value in whole.items() if value < 1}
    order = sorted(unlike, key=lambda image: (unlike[image], image))
    return MaskDiff(len(by_image), by_class, {image: unlike[image] for image in order})


def _dice(old: list[Runs | None], new: list[Runs | None]) -> float:
    """Of the runs of some classes, each with itself."""
    total = shared = 0
    for a, b in zip(old, new, strict=True):
        sizes = [int((r[1] - r[0]).sum()) if r is not None else 0 for r in (a, b)]
        total += sum(sizes)
        if a is not None and b is not None:
            shared += sum(sizes) - _union(a, b)
    return 2 * shared / total if total else 1.0


def _union(a: Runs, b: Runs) -> int:
    """How many pixels are in one of them at least."""
    places = np.concatenate([a[0], b[0], a[1], b[1]])
    steps = np.repeat([1, -1], [len(a[0]) + len(b[0]), len(a[1]) + len(b[1])])
    order = np.argsort(places, kind="stable")
    depth = np.cumsum(steps[order])
    return int((np.diff(places[order]) * (depth[:-1] > 0)).sum())


def _has_runs(table: Table) -> bool:
    """Whether the last column holds run lengths: nothing, or runs that do not touch, and somewhere
    two of them (a list of two labels would look like one run)."""
    several = False
    for cell in table.values[table.columns[-1]]:
        try:
            starts, lengths = rle.runs(cell, _ENDLESS)
        except DataError:
            return False
        if (starts[1:] <= (starts + lengths)[:-1]).any():
            return False
        several |= len(starts) > 1
    return several


def _of_table(table: Table, key: str) -> Regions:
    """The rows of each image and class. Which ids are images is guessed: those that stay when the
    class is cut off are."""
    stems = {name.rpartition("_")[0] for name in table.values[key]}
    codes = {name.rpartition("_")[2] for name in table.values[key]}
    joined = len(stems) * len(codes) == len(table) and len(codes) < len(table)
    asked = read_asked(table, key, lambda _: not joined)
    out: Regions = {}
    pairs = zip(asked.images, asked.codes, strict=True)
    for pair, cell in zip(pairs, table.values[table.columns[-1]], strict=True):
        starts, lengths = rle.runs(cell, _ENDLESS)
        if len(starts):
            out[pair[0], pair[1] or ""] = starts, starts + lengths
    return out


def _of_zip(path: Path) -> Regions:
    from PIL import Image

    out: Regions = {}
    with zipfile.ZipFile(path) as back:
        for name in back.namelist():
            with Image.open(io.BytesIO(back.read(name))) as opened:
                pixels = np.asarray(opened)
            folder, _, stem = name.rpartition("/")
            for value in np.unique(pixels):
                if value:
                    out[stem, folder or str(value)] = _runs_of(pixels == value)
    return out


def _of_coco(path: Path) -> Regions:
    layers: dict[tuple[str, str], Array] = {}
    for one in json.loads(path.read_text(encoding="utf-8")):
        key = str(one["image_id"]), str(one["category_id"])
        region = region_of(one["segmentation"], tuple(one["segmentation"]["size"]))
        layers[key] = region | layers[key] if key in layers else region
    return {key: _runs_of(layer) for key, layer in layers.items() if layer.any()}


def _runs_of(layer: Array) -> Runs:
    starts, lengths = rle.runs(rle.encode(layer), layer.size)
    return starts, starts + lengths
