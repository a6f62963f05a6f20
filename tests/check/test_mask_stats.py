from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from toys import save

from comp.check.mask_stats import mask_findings, mask_summary, measure_masks
from comp.config.schema import DataConfig
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


@pytest.fixture
def data(workspace: Path) -> DataConfig:
    """Rows of class 1, of class 2 and not judged; nothing; all of class 1."""
    masks = np.zeros((3, 6, 8), np.uint8)
    masks[0, :2], masks[0, 4, :4], masks[0, 4, 4:], masks[2] = 1, 2, 255, 1
    for name, mask in zip("abc", masks, strict=True):
        save(Path(f"input/train/{name}.png"), np.zeros((6, 8, 3), np.uint8))
        path = Path(f"input/train_masks/{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    return DataConfig(root="input", layout="masks", ignore=255)


@pytest.mark.parametrize("task", ["segmentation", "multilabel_segmentation"])
def test_the_pixels_and_objects_of_each_class_are_counted(data: DataConfig, task: str) -> None:
    index = read_index(data, TASKS[task])
    found = mask_summary(index, measure_masks(index))
    expected: dict[str, Any] = {
        "classes": {
            "1": {"images": 2, "objects": 2, "pixels": 0.444444, "of an image": 0.666667},
            "2": {"images": 1, "objects": 1, "pixels": 0.027778, "of an image": 0.083333},
        },
        "background": 0.5,
        "not judged": 0.027778,
        "images without anything": 1,
        "unusable": 0,
    }
    assert found == expected


def test_masks_that_became_wrong_are_errors_and_full_ones_are_notes(data: DataConfig) -> None:
    index = read_index(data, TASKS["segmentation"])
    Path("input/train_masks/a.png").write_bytes(b"no image")
    save(Path("input/train/b.png"), np.zeros((7, 8, 3), np.uint8))
    stats = measure_masks(index)
    found = [f.plain() for f in mask_findings(index, stats, np.ones(3, bool))]
    assert [(f["level"], f["ids"]) for f in found] == [
        ("error", ["a.png"]),
        ("error", ["b.png"]),
        ("note", ["c.png"]),
    ]
    assert (
        "mask of 'a.png': input/train_masks/a.png: not an image that can be decoded"
        in found[0]["text"]
    )
    assert "the mask is 8 x 6 pixels, the image 8 x 7" in found[1]["text"]
    assert found[2]["text"] == "1 masks mark every pixel"
    assert mask_summary(index, stats)["unusable"] == 2
    quiet = [f.ids for f in mask_findings(index, stats, np.array([False, True, True]))]
    assert quiet == [("b.png",), ("c.png",)]
