"""COCO's results: a JSON list of regions with run lengths and a score."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from comp.core.errors import SubmissionError, first, unreadable
from comp.data.masks import rle
from comp.data.masks.coco_shapes import region_of, shape_fault
from comp.submission.diff import Diff
from comp.submission.formats.format import Answers, Array, Columns, Competition
from comp.submission.formats.found import objects_of
from comp.submission.formats.mask_diff import Regions, compare_regions, runs_of
from comp.submission.formats.masks import Found, MaskRows, own_rows
from comp.submission.sample import Sample

Marked = defaultdict[tuple[str, str], list[Any]]  # image, code of the class -> segmentations


@dataclass(frozen=True)
class CocoFormat:
    """A result per connected region; see `Format`. `numbers`: id -> COCO's id of the image,
    where it is known."""

    sample: Sample
    content: MaskRows
    numbers: Mapping[str, int | str]
    needs_probs: ClassVar[bool] = True
    suffix: ClassVar[str] = ".coco.json"

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        return cls(*own_rows(competition), competition.coco_numbers)

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        found: Found = {}
        results = list[dict[str, Any]]()
        for image, mask, probs in self.content.recorded(answers, found):
            if probs is None:
                raise SubmissionError("COCO's results need probabilities: use `--vote soft`")
            results += self._results(image, mask, probs)
        path.write_text(json.dumps(results, separators=(",", ":")) + "\n", encoding="utf-8")
        return self.content.column(self.sample, found), len(results)

    def _results(self, image: str, mask: Array, probs: Array) -> Iterator[dict[str, Any]]:
        """The regions of an image: packed run lengths, and the mean probability.

        mask: (L, H, W); probs: (C, H, W). A region is connected by edges and corners.
        """
        from pycocotools import mask as coco

        for one in objects_of(self.content, mask, probs):
            packed = coco.encode(np.asfortranarray(one.region.astype(np.uint8)))
            yield {
                "image_id": self.numbers.get(image, image),
                "category_id": int(one.code) if one.code.isdigit() else one.code,
                "segmentation": {**packed, "counts": packed["counts"].decode()},
                "bbox": list(one.box),
                "score": one.score,
            }

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SubmissionError(f"{path}: {unreadable(error)}") from error
        if not isinstance(results, list):
            return {}, [f"not a list of results but a {type(results).__name__}"]
        by_number = {str(self.numbers.get(name, name)): name for name in self.content.rows.ids}
        regions: Marked = defaultdict(list)
        wrong: list[str] = []
        for row, result in enumerate(results):
            try:
                image, code = by_number[str(result["image_id"])], str(result["category_id"])
                problem = self._problem(result, image, code)
                regions[image, code].append(result["segmentation"])
            except (KeyError, TypeError) as missing:
                problem = f"no such image, or no {missing}"
            wrong += [f"result {row}: {problem}"] if problem else []
        if wrong:
            return {}, wrong
        found = {
            key: rle.encode(_union(marked, self.content.size(key[0])), self.content.order)
            for key, marked in regions.items()
        }
        return self.content.column(self.sample, found), []

    def _problem(self, result: Any, image: str, code: str) -> str | None:
        """What is wrong with a result, or None."""
        if code not in self.content.codes:
            return f"category {code!r} is unknown; known: {first(self.content.codes, 12)}"
        problem = shape_fault(result["segmentation"], self.content.size(image))
        if problem:
            return problem
        score = result["score"]
        if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
            return f"score {score!r}; a score is a number from 0 to 1"
        return None

    def check(self, path: Path, columns: Columns) -> list[str]:
        return self.content.overlaps(columns)

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        return compare_regions(_regions(one), _regions(two))


def _union(marked: list[Any], size: tuple[int, int]) -> Array:
    """(H, W) bool: the pixels in any of these segmentations."""
    return np.asarray(np.logical_or.reduce([region_of(each, size) for each in marked]))


def _regions(path: Path) -> Regions:
    marked: Marked = defaultdict(list)
    for result in json.loads(path.read_text(encoding="utf-8")):
        marked[str(result["image_id"]), str(result["category_id"])].append(result["segmentation"])
    layers = ((key, _union(each, tuple(each[0]["size"]))) for key, each in marked.items())
    return {key: runs_of(layer) for key, layer in layers if layer.any()}
