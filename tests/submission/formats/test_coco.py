"""COCO's results pass the gate, or are refused with everything that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco
from submission_toys import MASK_SAMPLE, MASKS, mask_cells, numbered

from comp.core.errors import SubmissionError
from comp.data.masks import rle
from comp.submission.formats.coco import CocoFormat

NUMBERS = {"a": 7, "b": 8}
COCO = CocoFormat(MASK_SAMPLE, MASKS, NUMBERS)


def result(name: str, code: int, **over: Any) -> dict[str, Any]:
    layer = numbered(name) == code // 10
    packed = coco.encode(np.asfortranarray(layer.astype(np.uint8)))
    segmentation = {**packed, "counts": packed["counts"].decode()}
    number = NUMBERS[name]
    one = {"image_id": number, "category_id": code, "segmentation": segmentation, "score": 0.5}
    return {**one, **over}


def test_regions_of_coco_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "x.coco.json"
    path.write_text(json.dumps([result("a", 20), result("a", 20), result("b", 10)]))
    layers = numbered("a") == 2, numbered("b") == 1
    assert mask_cells(COCO, path) == ["", rle.encode(layers[0]), rle.encode(layers[1]), ""]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"annotations": []}, "not a list of results but a dict"),
        ([result("a", 20, image_id=9)], "result 0: no such image, or no '9'"),
        ([result("a", 20), result("a", 20, category_id=3)], "result 1: category '3' is unknown"),
        ([result("a", 20, image_id=8)], r"result 0: is of size \[5, 8\], its image of \[6, 4\]"),
        ([result("a", 20, score=1.5)], "result 0: score 1.5"),
        ([{"image_id": 7, "category_id": 10}], "no 'segmentation'"),
    ],
)
def test_results_that_cannot_be_are_refused(tmp_path: Path, results: Any, message: str) -> None:
    path = tmp_path / "x.coco.json"
    path.write_text(json.dumps(results))
    with pytest.raises(SubmissionError, match=message):
        mask_cells(COCO, path)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not one")
    with pytest.raises(SubmissionError, match="cannot be read"):
        mask_cells(COCO, tmp_path / "x")
