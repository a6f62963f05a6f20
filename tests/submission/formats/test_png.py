"""A zip of PNG files passes the gate, or is refused with everything that is wrong."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from submission_toys import MASK_SAMPLE, MASKS, SIZES, mask_cells, numbered

from comp.core.errors import SubmissionError
from comp.data.masks import rle
from comp.submission.formats.png import PngFormat

ZIP = PngFormat(MASK_SAMPLE, MASKS)


def zipped(path: Path, pictures: dict[str, np.ndarray[Any, Any] | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, pixels in pictures.items():
            content = pixels if isinstance(pixels, bytes) else cv2.imencode(".png", pixels)[1]
            out.writestr(name, content if isinstance(content, bytes) else content.tobytes())
    return path


def test_the_numbers_in_pictures_are_the_classes(tmp_path: Path) -> None:
    b = np.zeros(SIZES["b"], dtype=np.uint8)
    path = zipped(tmp_path / "x.zip", {"a.png": numbered("a"), "b.png": b})
    assert mask_cells(ZIP, path) == [*(rle.encode(numbered("a") == n) for n in (1, 2)), "", ""]


def test_layers_are_a_picture_per_class(tmp_path: Path) -> None:
    layers = {c: (numbered("a") == n) * np.uint8(255) for n, c in enumerate(("dent", "rust"), 1)}
    empty = np.zeros(SIZES["b"], dtype=np.uint8)
    pictures: dict[str, Any] = {f"{c}/a.png": layer for c, layer in layers.items()}
    pictures |= {f"{c}/b.png": empty for c in layers}
    path = zipped(tmp_path / "x.zip", pictures)
    layered = PngFormat(MASK_SAMPLE, replace(MASKS, exclusive=False))
    assert mask_cells(layered, path) == [
        *(rle.encode(layer > 0) for layer in layers.values()),
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"a.png": numbered("a")}, "1 files missing: 'b.png'"),
        (
            {"a.png": numbered("a"), "b.png": numbered("b"), "c.png": b""},
            "1 files that belong to no image",
        ),
        ({"a.png": numbered("a").T.copy(), "b.png": numbered("b")}, r"a.png: \(8, 5\)"),
        ({"a.png": numbered("a") + 1, "b.png": numbered("b")}, "a.png: holds 3; allowed are 0, 1"),
        ({"a.png": b"GIF89a", "b.png": numbered("b")}, "a.png: not an image"),
    ],
)
def test_a_zip_that_cannot_be_is_refused(
    tmp_path: Path, pictures: dict[str, Any], message: str
) -> None:
    with pytest.raises(SubmissionError, match=message):
        mask_cells(ZIP, zipped(tmp_path / "x.zip", pictures))


def test_what_is_not_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not one")
    with pytest.raises(SubmissionError, match="cannot be read"):
        mask_cells(ZIP, tmp_path / "x")
