"""Submissions of masks read back, whatever form they have: as run lengths, a cell a row asked for.

So that what judges and compares submissions need know one form only.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.errors import SubmissionError, complain, first
from comp.data.index.sample_rows import Asked
from comp.data.masks import rle
from comp.data.masks.coco_shapes import region_of, shape_fault

Array = np.ndarray[Any, Any]

_SHOWN = 5  # complaints of a kind


def is_table(path: Path) -> bool:
    """Whether a submission is a table, and neither a zip of pictures nor COCO's results."""
    return path.suffix not in (".zip", ".json")


@dataclass(frozen=True)
class MaskReader:
    """What a file of masks must hold.

    `asked`    the image and class of each row
    `codes`    what the competition calls each class; `classes` what we call it
    `one`      whether each pixel has one class
    `size`     id -> height and width of the image
    `numbers`  id -> COCO's number, where it is known
    `order`    of the run lengths
    """

    asked: Asked
    codes: Sequence[str]
    classes: Sequence[str]
    one: bool
    size: Callable[[str], tuple[int, int]]
    numbers: Mapping[str, int]
    order: str

    def cells(self, path: Path, *, zipped: bool | None = None) -> list[str]:
        """The run lengths of each row asked for, of a zip of PNG files or of COCO's results.

        zipped: which of the two; None: by its name. Raises SubmissionError with all for which the
        file would be refused.
        """
        zipped = path.suffix == ".zip" if zipped is None else zipped
        read = self._zip if zipped else self._coco
        try:
            found, complaints = read(path)
        except (OSError, ValueError, zipfile.BadZipFile) as problem:
            raise SubmissionError(f"{path}: cannot be read ({problem})") from problem
        complain(SubmissionError, f"{path} would be refused:", complaints)
        codes = [code or self.codes[0] for code in self.asked.codes]
        pairs = zip(self.asked.images, codes, strict=True)
        return [found.get(pair, "") for pair in pairs]

    def _zip(self, path: Path) -> tuple[dict[tuple[str, str], str], list[str]]:
        found: dict[tuple[str, str], str] = {}
        wrong: list[str] = []
        with zipfile.ZipFile(path) as back:
            names = back.namelist()
            wanted = {f: p for i in self.asked.ids for f, p in self._files(i).items()}
            missing, extra = sorted({*wanted} - {*names}), sorted({*names} - {*wanted})
            twice = sorted({name for name in names if names.count(name) > 1}) if extra else []
            for name in dict.fromkeys(names):
                if name in wanted:
                    image, number = wanted[name]
                    wrong += self._picture(name, back.read(name), image, number, found)
        out = [f"{len(missing)} files missing: {first(missing)}"] if missing else []
        out += [f"{len(extra)} files that no image asks for: {first(extra)}"] if extra else []
        out += [f"there twice: {first(twice)}"] if twice else []
        return found, out + _some(wrong)

    def _files(self, image: str) -> dict[str, tuple[str, int]]:
        """The files of an image -> it, and which class they show; 0: the numbers of all."""
        names = picture_names(image, self.classes, self.one)
        return {name: (image, 0 if self._numbered else n) for n, name in enumerate(names, 1)}

    @property
    def _numbered(self) -> bool:
        return self.one and len(self.classes) > 1

    def _picture(
        self, name: str, content: bytes, image: str, number: int, found: dict[tuple[str, str], str]
    ) -> list[str]:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(content)) as opened:
                pixels = np.asarray(opened)
        except (UnidentifiedImageError, OSError, SyntaxError) as problem:
            return [f"{name}: no picture ({problem})"]
        if pixels.shape != self.size(image):
            return [f"{name}: {pixels.shape}, its image is {self.size(image)}"]
        allowed = range(len(self.codes) + 1) if self._numbered else (0, 255)
        odd = sorted({*np.unique(pixels).tolist()} - {*allowed})
        if odd:
            return [f"{name}: holds {first(odd)}; allowed are {first(list(allowed), 12)}"]
        layers = {n: pixels == n for n in allowed if n} if self._numbered else {number: pixels > 0}
        for n, layer in layers.items():
            if layer.any():
                found[image, self.codes[n - 1]] = rle.encode(layer, self.order)
        return []

    def _coco(self, path: Path) -> tuple[dict[tuple[str, str], str], list[str]]:
        results = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(results, list):
            return {}, [f"a list of results is wanted, this is a {type(results).__name__}"]
        by_number = {str(self.numbers.get(name, name)): name for name in self.asked.ids}
        layers: dict[tuple[str, str], Array] = {}
        wrong: list[str] = []
        for row, one in enumerate(results):
            try:
                image, code = by_number[str(one["image_id"])], str(one["category_id"])
                wrong += self._region(row, one, image, code, layers)
            except (KeyError, TypeError) as problem:
                wrong.append(f"result {row}: no such image, or no {problem}")
        return {k: rle.encode(layer, self.order) for k, layer in layers.items()}, _some(wrong)

    def _region(
        self,
        row: int,
        one: dict[str, Any],
        image: str,
        code: str,
        layers: dict[tuple[str, str], Array],
    ) -> list[str]:
        if code not in self.codes:
            return [f"result {row}: category {code!r} is unknown; known: {first(self.codes, 12)}"]
        size, marked = self.size(image), one["segmentation"]
        fault = shape_fault(marked, size)
        if fault:
            return [f"result {row}: {fault}"]
        score = one["score"]
        if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
            return [f"result {row}: score {score!r}; it goes from 0 to 1"]
        region = region_of(marked, size)
        known = layers.get((image, code))
        layers[image, code] = region if known is None else known | region
        return []


def _some(wrong: list[str]) -> list[str]:
    more = [f"and {len(wrong) - _SHOWN} more like these"] if len(wrong) > _SHOWN else []
    return wrong[:_SHOWN] + more


def picture_names(image: str, classes: Sequence[str], one: bool) -> list[str]:
    """The PNG files of an image: `<id>.png` with the numbers of the classes, or, where regions may
    overlap, `<class>/<id>.png` each."""
    stem = str(Path(image).with_suffix(""))
    if one or len(classes) == 1:
        return [f"{stem}.png"]
    return [f"{name}/{stem}.png" for name in classes]
