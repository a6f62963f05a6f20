"""How two submissions of masks differ, whatever form they have."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from comp.core.errors import SubmissionError
from comp.data.masks import rle
from comp.submission import diff_submissions
from comp.submission.diff import ClassDiff, Diff

SIZE = (9, 14)


def masks(seed: int) -> dict[tuple[str, str], np.ndarray]:
    """Classes 1 and 2 of three images; of image c nothing in the second."""
    draw = np.random.default_rng(seed)
    out = {(i, c): draw.random(SIZE) < 0.4 for i in "abc" for c in "12"}
    for i in "abc":
        out[i, "2"] &= ~out[i, "1"]
    if seed:
        out["a", "1"] = masks(0)["a", "1"]
        out["a", "2"] = masks(0)["a", "2"]
        out["c", "1"][:] = out["c", "2"][:] = False
    return out


def as_csv(path: Path, found: dict[tuple[str, str], np.ndarray], joined: bool) -> Path:
    rows = ["ImageId_ClassId,EncodedPixels"] if joined else ["ImageId,ClassId,EncodedPixels"]
    rows += [f"{i}{'_' if joined else ','}{c},{rle.encode(m)}" for (i, c), m in found.items()]
    path.write_text("\n".join(rows) + "\n")
    return path


def as_zip(path: Path, found: dict[tuple[str, str], np.ndarray]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for i in "abc":
            numbers = (found[i, "1"] + 2 * found[i, "2"]).astype(np.uint8)
            out.writestr(f"{i}.png", cv2.imencode(".png", numbers)[1].tobytes())
    return path


def as_coco(path: Path, found: dict[tuple[str, str], np.ndarray]) -> Path:
    results = []
    for (i, c), m in found.items():
        for part in (m & (np.arange(SIZE[1]) < 7), m & (np.arange(SIZE[1]) >= 7)):
            packed = coco.encode(np.asfortranarray(part.astype(np.uint8)))
            segmentation = {**packed, "counts": packed["counts"].decode()}
            results.append(
                {"image_id": i, "category_id": int(c), "segmentation": segmentation, "score": 1.0}
            )
    path.write_text(json.dumps(results))
    return path


def expected() -> Diff:
    old, new = masks(0), masks(1)

    def dice(*keys: tuple[str, str]) -> float:
        shared = sum((old[k] & new[k]).sum() for k in keys)
        return float(2 * shared / sum(old[k].sum() + new[k].sum() for k in keys))

    by_class = {c: ClassDiff(2, 1, 1, 0, float(np.mean([1.0, dice(("b", c)), 0.0]))) for c in "12"}
    return Diff(3, ("c", "b"), classes=by_class, dice={"c": 0.0, "b": dice(("b", "1"), ("b", "2"))})


@pytest.mark.parametrize("form", ["joined", "columns", "zip", "coco"])
def test_classes_are_compared_by_dice(tmp_path: Path, form: str) -> None:
    pair = []
    for seed in (0, 1):
        found = masks(seed)
        if form == "zip":
            pair.append(as_zip(tmp_path / f"{seed}.zip", found))
        elif form == "coco":
            pair.append(as_coco(tmp_path / f"{seed}.coco.json", found))
        else:
            pair.append(as_csv(tmp_path / f"{seed}.csv", found, form == "joined"))
    end = ".png" if form == "zip" else ""
    wanted = expected()
    wanted = replace(
        wanted,
        ids=tuple(f"{name}{end}" for name in wanted.ids),
        dice={f"{name}{end}": value for name, value in wanted.dice.items()},
    )
    assert diff_submissions(*pair) == wanted
    same = diff_submissions(pair[0], pair[0])
    assert (same.ids, same.dice) == ((), {})
    assert {one.dice for one in same.classes.values()} == {1.0}


def test_labels_and_lists_of_labels_are_no_masks(tmp_path: Path) -> None:
    one = tmp_path / "a.csv"
    for cells in (["cat", "dog"], ["3", "7"], ["1 2", ""], ["1 2 3 4", "5 6"]):
        one.write_text("id,label\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
        assert diff_submissions(one, one).classes == {}


def test_other_rows_and_other_forms_are_refused(tmp_path: Path) -> None:
    found = masks(0)
    one = as_csv(tmp_path / "a.csv", found, True)
    del found["b", "2"]
    two = as_csv(tmp_path / "b.csv", found, True)
    with pytest.raises(SubmissionError, match="1 rows are in one only: 'b_2'"):
        diff_submissions(one, two)
    with pytest.raises(SubmissionError, match="different formats"):
        diff_submissions(one, as_zip(tmp_path / "a.zip", masks(0)))
