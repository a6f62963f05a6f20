"""The config of car damage on a small tree that is laid out as Roboflow exports it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toys import regions, save

import comp
from comp.config.loading import load_config
from comp.stages.check import check
from comp.stages.experiment import Experiment, open_experiment, read_train
from comp.stages.folds import make_folds
from comp.stages.train import train

pytestmark = pytest.mark.slow

CONFIG = Path(comp.__file__).parent.parent / "configs/cardamage.yaml"
SMALL = [
    "image.size=32",
    "folds.count=2",
    "train.epochs=1",
    "train.workers=0",
    "model.encoder=tu-test_resnet",
    "model.pretrained=false",
]


def lay(part: str, seeds: range) -> None:
    folder, images, marks = Path("input/cardamage") / part, [], []
    for seed in seeds:
        image, mask = regions(seed)
        save(folder / f"{seed:03d}.jpg", image)
        images.append({"id": seed, "file_name": f"{seed:03d}.jpg", "height": 40, "width": 48})
        for category in (1, 2):
            lines, _ = cv2.findContours(
                (mask == category).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            polygons = [line.ravel().tolist() for line in lines]
            if polygons:
                mark = {"image_id": seed, "category_id": category, "segmentation": polygons}
                marks.append({"id": len(marks), **mark})
    names = [{"id": number, "name": name} for number, name in enumerate(("all", "dent", "scratch"))]
    tree = {"images": images, "annotations": marks, "categories": names}
    (folder / "_annotations.coco.json").write_text(json.dumps(tree))


@pytest.fixture
def experiment(workspace: Path) -> Experiment:
    lay("train", range(12))
    lay("valid", range(12, 16))
    lay("test", range(20, 23))
    return open_experiment(load_config(CONFIG, SMALL))


def test_both_splits_are_trained_on_and_the_plan_is_stratified(experiment: Experiment) -> None:
    checked = check(experiment, accept_groups=False, skip=False, allow_extra_images=False)
    assert not checked.bad
    make_folds(experiment, replace=False)
    index = read_train(experiment)
    assert (len(index), index.classes) == (16, ("dent", "scratch"))
    train(experiment, "0")
    assert Path("runs/cardamage/fold_0/best.pt").is_file()
