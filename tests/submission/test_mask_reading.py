"""Zips of pictures and COCO's results are judged like a table: everything wrong is told."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from comp.core.errors import SubmissionError
from comp.data.index.sample_rows import Asked
from comp.data.masks import rle
from comp.submission.mask_reading import MaskReader

SIZES = {"a": (5, 8), "b": (6, 4)}
READER = MaskReader(
    asked=Asked(("a", "a", "b", "b"), ("10", "20", "10", "20")),
    codes=("10", "20"),
    classes=("dent", "rust"),
    one=True,
    size=SIZES.__getitem__,
    numbers={"a": 7, "b": 8},
    order="columns",
)


def numbered(name: str) -> np.ndarray[Any, Any]:
    return np.random.default_rng(len(name)).integers(0, 3, SIZES[name]).astype(np.uint8)


def zipped(path: Path, pictures: dict[str, np.ndarray[Any, Any] | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, pixels in pictures.items():
            content = pixels if isinstance(pixels, bytes) else cv2.imencode(".png", pixels)[1]
            out.writestr(name, content if isinstance(content, bytes) else content.tobytes())
    return path


def test_the_numbers_in_pictures_are_the_classes(tmp_path: Path) -> None:
    b = np.zeros(SIZES["b"], dtype=np.uint8)
    path = zipped(tmp_path / "x.zip", {"a.png": numbered("a"), "b.png": b})
    assert READER.cells(path) == [*(rle.encode(numbered("a") == n) for n in (1, 2)), "", ""]


def test_layers_are_a_picture_a_class(tmp_path: Path) -> None:
    layers = {c: (numbered("a") == n) * np.uint8(255) for n, c in enumerate(("dent", "rust"), 1)}
    empty = np.zeros(SIZES["b"], dtype=np.uint8)
    pictures: dict[str, Any] = {f"{c}/a.png": layer for c, layer in layers.items()}
    pictures |= {f"{c}/b.png": empty for c in layers}
    path = zipped(tmp_path / "x.zip", pictures)
    cells = replace(READER, one=False).cells(path)
    assert cells == [*(rle.encode(layer > 0) for layer in layers.values()), "", ""]


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        ({"a.png": numbered("a")}, "1 files missing: 'b.png'"),
        ({"a.png": numbered("a"), "b.png": numbered("b"), "c.png": b""}, "no image asks for"),
        ({"a.png": numbered("a").T.copy(), "b.png": numbered("b")}, r"a.png: \(8, 5\)"),
        ({"a.png": numbered("a") + 1, "b.png": numbered("b")}, "a.png: holds 3; allowed are 0, 1"),
        ({"a.png": b"GIF89a", "b.png": numbered("b")}, "a.png: no picture"),
    ],
)
def test_what_a_zip_may_not_hold_is_told(
    tmp_path: Path, pictures: dict[str, Any], told: str
) -> None:
    with pytest.raises(SubmissionError, match=told):
        READER.cells(zipped(tmp_path / "x.zip", pictures))


def result(name: str, code: int, **over: Any) -> dict[str, Any]:
    layer = numbered(name) == code // 10
    packed = coco.encode(np.asfortranarray(layer.astype(np.uint8)))
    segmentation = {**packed, "counts": packed["counts"].decode()}
    number = READER.numbers[name]
    one = {"image_id": number, "category_id": code, "segmentation": segmentation, "score": 0.5}
    return {**one, **over}


def test_regions_of_coco_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "x.coco.json"
    path.write_text(json.dumps([result("a", 20), result("a", 20), result("b", 10)]))
    layers = numbered("a") == 2, numbered("b") == 1
    assert READER.cells(path) == ["", rle.encode(layers[0]), rle.encode(layers[1]), ""]


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ({"annotations": []}, "a list of results is wanted, this is a dict"),
        ([result("a", 20, image_id=9)], "result 0: no such image, or no '9'"),
        ([result("a", 20), result("a", 20, category_id=3)], "result 1: category '3' is unknown"),
        ([result("a", 20, image_id=8)], r"result 0: is of size \[5, 8\], its image of \[6, 4\]"),
        ([result("a", 20, score=1.5)], "result 0: score 1.5"),
        ([{"image_id": 7, "category_id": 10}], "no 'segmentation'"),
    ],
)
def test_what_results_may_not_hold_is_told(tmp_path: Path, results: Any, told: str) -> None:
    path = tmp_path / "x.coco.json"
    path.write_text(json.dumps(results))
    with pytest.raises(SubmissionError, match=told):
        READER.cells(path)


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    for name in ("x.zip", "x.coco.json"):
        (tmp_path / name).write_text("not one")
        with pytest.raises(SubmissionError, match="cannot be read"):
            READER.cells(tmp_path / name)
