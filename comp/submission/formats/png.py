"""A zip of PNG files: `<id>.png` with the numbers of the classes, or `<class>/<id>.png` of 0 and
255 for each class where masks may overlap."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import cv2
import numpy as np

from comp.core.errors import SubmissionError, first, repeated, unreadable
from comp.data.index.path_ends import path_id
from comp.data.masks import rle
from comp.submission.diff import Diff
from comp.submission.formats.format import Answers, Array, Columns, Competition
from comp.submission.formats.mask_diff import Regions, compare_regions, runs_of
from comp.submission.formats.masks import Found, MaskRows, own_rows
from comp.submission.sample import Sample

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time in a zip: the same masks are the same bytes


@dataclass(frozen=True)
class PngFormat:
    """A PNG file per image, or per image and class; see `Format`."""

    sample: Sample
    content: MaskRows
    needs_probs: ClassVar[bool] = False
    suffix: ClassVar[str] = ".zip"

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        return cls(*own_rows(competition))

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        found: Found = {}
        count = 0
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for image, mask, _ in self.content.recorded(answers, found):
                for name, pixels in zip(self._names(image), self._pictures(mask), strict=True):
                    coded = cv2.imencode(".png", pixels)[1].tobytes()
                    out.writestr(zipfile.ZipInfo(name, _LONG_AGO), coded)
                    count += 1
        return self.content.column(self.sample, found), count

    @property
    def _numbered(self) -> bool:
        """Whether a file holds the numbers of all classes, and not one class."""
        return self.content.exclusive and len(self.content.classes) > 1

    def _names(self, image: str) -> list[str]:
        path = Path(*(part for part in path_id(image).parts if part != ".."))
        stem, classes = path.with_suffix("").as_posix(), self.content.classes
        if self.content.exclusive or len(classes) == 1:
            return [f"{stem}.png"]
        return [f"{name}/{stem}.png" for name in classes]

    def _pictures(self, mask: Array) -> list[Array]:
        """The pixels of each file of an image, from its mask (L, H, W)."""
        if self._numbered:
            return [mask[0]]
        return [np.where(layer, 255, 0).astype(np.uint8) for _, layer in self.content.layers(mask)]

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        found: Found = {}
        wrong: list[str] = []
        wanted = {
            name: (image, number)
            for image in self.content.rows.ids
            for number, name in enumerate(self._names(image), 1)
        }
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                for name in dict.fromkeys(names):
                    if name in wanted:
                        wrong += self._read_picture(name, archive.read(name), *wanted[name], found)
        except (OSError, ValueError, zipfile.BadZipFile) as problem:
            raise SubmissionError(f"{path}: {unreadable(problem)}") from problem
        groups = {
            "files missing": sorted({*wanted} - {*names}),
            "files that belong to no image": sorted({*names} - {*wanted}),
            "files are there twice": repeated(names),
        }
        complaints = [f"{len(some)} {what}: {first(some)}" for what, some in groups.items() if some]
        return self.content.column(self.sample, found), complaints + wrong

    def _read_picture(
        self, name: str, content: bytes, image: str, number: int, found: Found
    ) -> list[str]:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(content)) as opened:
                pixels = np.asarray(opened)
        except (UnidentifiedImageError, OSError, SyntaxError) as problem:
            return [f"{name}: not an image ({problem})"]
        if pixels.shape != self.content.size(image):
            return [f"{name}: {pixels.shape}, its image is {self.content.size(image)}"]
        codes = self.content.codes
        allowed = list(range(len(codes) + 1)) if self._numbered else [0, 255]
        odd = sorted({*np.unique(pixels).tolist()} - {*allowed})
        if odd:
            return [f"{name}: holds {first(odd)}; allowed are {first(allowed, 12)}"]
        numbers = {n: n for n in allowed[1:]} if self._numbered else {number: 255}
        for place, value in numbers.items():
            text = rle.encode(pixels == value, self.content.order)
            if text:
                found[image, codes[place - 1]] = text
        return []

    def check(self, path: Path, columns: Columns) -> list[str]:
        return []  # a pixel of a picture has one value

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        return compare_regions(_regions(one), _regions(two))


def _regions(path: Path) -> Regions:
    from PIL import Image

    out: Regions = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with Image.open(io.BytesIO(archive.read(name))) as opened:
                pixels = np.asarray(opened)
            folder, _, stem = name.rpartition("/")
            for value in np.unique(pixels):
                if value:
                    out[stem, folder or str(value)] = runs_of(pixels == value)
    return out
