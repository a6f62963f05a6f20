"""The masks that a submission must hold, as run lengths: what all formats of masks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import SubmissionError, first
from comp.data.images.header import image_size
from comp.data.index.sample_rows import SampleRows
from comp.data.masks import rle
from comp.submission.formats.format import Answers, Columns, Competition
from comp.submission.sample import Sample, make_sample

Array = np.ndarray[Any, Any]
Found = dict[tuple[str, str], str]  # image, code of the class -> run lengths


@dataclass(frozen=True)
class MaskRows:
    """The rows that a submission of masks must fill.

    `rows`       the image and class of each row of the sample
    `codes`      what the competition calls each class; `classes`: what the config calls it
    `exclusive`  whether each pixel has one class only
    `size`       id -> height and width of the image
    `order`      of the run lengths
    """

    rows: SampleRows
    codes: Sequence[str]
    classes: Sequence[str]
    exclusive: bool
    size: Callable[[str], tuple[int, int]]
    order: str

    def layers(self, mask: Array) -> Iterator[tuple[str, Array]]:
        """The code of each class and its (H, W) bool, of a mask (L, H, W)."""
        for number, code in enumerate(self.codes, 1):
            numbered = len(mask) < len(self.codes)
            yield code, mask[0] == number if numbered else mask[number - 1] == 1

    def recorded(
        self, answers: Iterable[Answers], found: Found
    ) -> Iterator[tuple[str, Array, Array | None]]:
        """Id, mask (L, H, W) and probabilities (C, H, W) of each image; its run lengths go to
        `found`.

        Raises SubmissionError for run lengths that do not give the mask back, and for images of the
        sample that have no answer.
        """
        missing = dict.fromkeys(self.rows.ids)
        for piece in answers:
            for row, image in enumerate(piece.ids):
                for code, layer in self.layers(piece.labels[row]):
                    height, width = layer.shape
                    found[image, code] = text = rle.encode(layer, self.order)
                    if (rle.decode(text, height, width, self.order) != layer).any():
                        raise SubmissionError(f"{image}: its run lengths do not give its mask back")
                yield image, piece.labels[row], None if piece.probs is None else piece.probs[row]
                missing.pop(image, None)
        if missing:
            raise SubmissionError(f"no answer for {len(missing)} images: {first(missing)}")

    def column(self, sample: Sample, found: Found) -> Columns:
        """The answer column: the run lengths of each row, nothing for an empty mask."""
        pairs = zip(self.rows.images, self._row_codes, strict=True)
        return {sample.answers[0]: tuple(found.get(pair, "") for pair in pairs)}

    @property
    def _row_codes(self) -> list[str]:
        return [code or self.codes[0] for code in self.rows.codes]

    def overlaps(self, columns: Columns) -> list[str]:
        """A warning where a pixel has two classes and should have one."""
        by_image: dict[str, list[str]] = {}
        for name, cell in zip(self.rows.images, next(iter(columns.values())), strict=True):
            if cell.strip():
                by_image.setdefault(name, []).append(cell)
        two = [name for name, cells in by_image.items() if len(cells) > 1 and _overlap(cells)]
        if not self.exclusive or not two:
            return []
        return [f"{len(two)} images give a pixel to two classes: {first(two)}"]

    def shares(self, columns: Columns) -> dict[str, float]:
        """class -> the share of the images in which it is."""
        name_of = dict(zip(self.codes, self.classes, strict=True))
        found = dict.fromkeys(self.classes, 0.0)
        for cell, code in zip(next(iter(columns.values())), self._row_codes, strict=True):
            found[name_of[code]] += bool(cell.strip())
        return {name: count / max(1, len(self.rows.ids)) for name, count in found.items()}

    def expected_shares(
        self, labels: Array, probs: Array | None, weights: Sequence[float] | None = None
    ) -> dict[str, float]:
        """class -> the share of the images in which it is; labels: (N, C) bool."""
        means = np.average(labels, axis=0, weights=weights)
        return dict(zip(self.classes, means.tolist(), strict=True))


def mask_rows(competition: Competition, rows: SampleRows) -> MaskRows:
    """These rows, with the classes of a competition and the sizes of its test images."""
    place = {name: row for row, name in enumerate(competition.test.ids)}
    return MaskRows(
        rows,
        competition.codes,
        competition.classes,
        competition.task.link.normalized,
        lambda name: image_size(competition.test.paths[place[name]]),
        competition.data.rle_order,
    )


def own_rows(competition: Competition) -> tuple[Sample, MaskRows]:
    """A row per test image and class, for a file without a sample."""
    pairs = [(name, code) for name in competition.test.ids for code in competition.codes]
    images, codes = zip(*pairs, strict=True) if pairs else ((), ())
    ids = [f"{image}_{code}" for image, code in pairs]
    sample = make_sample("ImageId_ClassId", ["EncodedPixels"], ids)
    return sample, mask_rows(competition, SampleRows(images, codes, joined=True))


def _overlap(cells: Sequence[str]) -> bool:
    pairs = [rle.runs(cell, 1 << 62) for cell in cells]
    starts = np.concatenate([start for start, _ in pairs])
    ends = np.concatenate([start + length for start, length in pairs])
    order = np.argsort(starts)
    return bool((starts[order][1:] < ends[order][:-1]).any())
