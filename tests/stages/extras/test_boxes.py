"""The boxes of a segmentation run: of out-of-fold masks, for the crops of a second run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, UsageError
from comp.data.images.crops import component_box
from comp.inference.predictions import Predictions, save_pieces
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.extras.boxes import find_boxes
from comp.stages.folds import make_folds
from comp.stages.train import open_job, train

Toy = Callable[..., dict[str, Any]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


@pytest.fixture
def masks(toy: Toy) -> Experiment:
    """A trained segmentation toy, whose maps are then drawn: each image a box of its own."""
    experiment = opened(toy("segmentation", 12, train__epochs=1))
    make_folds(experiment, replace=False)
    train(experiment, "all")
    return experiment


def test_a_training_image_gets_the_box_of_its_own_fold_and_a_test_image_that_of_the_mean(
    masks: Experiment,
) -> None:
    first = find_boxes(masks, None)
    assert first.path == Path("boxes/toy_segmentation.csv")
    drawn: dict[str, Any] = {}
    for fold in range(2):
        for part in ("valid", "test"):
            folder = Path(f"runs/toy_segmentation/fold_{fold}/{part}")
            own = Predictions.load(folder)
            maps = np.zeros(own.probs.shape, np.uint8)
            maps[:, 0] = 255
            for row, name in enumerate(own.ids):
                x = 2 + 3 * fold + row % 5
                maps[row, :, 4:9, x : x + 8] = 0
                maps[row, 1, 4:9, x : x + 8] = 255
                if part == "valid":
                    drawn[name] = component_box(maps[row, 1] > 0)
            source = {k: v for k, v in own.source.items() if k != "path"}
            images = (folder / "manifest.json").read_text().split('"images": "')[1].split('"')[0]
            save_pieces(folder, own.ids, [maps], own.classes, own.link, source, images)
    made = find_boxes(masks, None)
    with made.path.open(newline="") as handle:
        rows = {row["id"]: row for row in csv.DictReader(handle)}
    for name, box in drawn.items():
        found = [float(rows[name][side]) for side in ("left", "top", "right", "bottom")]
        assert found == pytest.approx(box, abs=1e-5)
    tests = Predictions.load(Path("runs/toy_segmentation/fold_0/test"))
    side, name = tests.probs.shape[-1], tests.ids[0]
    # both folds say 5 to 10: half of the mean is enough where one of them says so
    assert float(rows[name]["left"]) == pytest.approx(2 / side, abs=1e-5)
    assert float(rows[name]["right"]) == pytest.approx(13 / side, abs=1e-5)
    assert made.images == len(drawn) + len(tests.ids)


def test_a_second_run_trains_on_the_crops(masks: Experiment) -> None:
    ids = sorted(path.name for path in Path("input/train").iterdir())
    boxes = [[name, 0.25, 0.25, 0.75, 0.75] for name in ids]
    write_csv(Path("boxes/drawn.csv"), [["id", "left", "top", "right", "bottom"], *boxes])
    rows = [[name, number % 2] for number, name in enumerate(ids)]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    data = {"root": "input", "id": "id", "target": "label", "sample_submission": None}
    tree = {
        "name": "crops",
        "task": "binary",
        "metric": "macro_f1",
        "data": {**data, "boxes": "boxes/drawn.csv"},
        "folds": {"count": 2},
        "image": {"size": 16},
        "model": {"name": "test_resnet", "pretrained": False},
    }
    whole = {**tree, "name": "whole", "data": data}
    for one in (tree, whole):
        make_folds(opened(one), replace=False)
    jobs = [open_job(opened(one), 0) for one in (tree, whole)]
    assert (jobs[0].train_rows == jobs[1].train_rows).all()
    assert jobs[0].files != jobs[1].files
    assert all((jobs[0].images[row] != jobs[1].images[row]).any() for row in range(len(ids)))


def test_what_has_no_boxes_is_refused(masks: Experiment, toy: Toy) -> None:
    with pytest.raises(UsageError, match="--class: 'q' is none of"):
        find_boxes(masks, None, ["q"])
    with pytest.raises(ConfigError, match="reads the masks of a segmentation run; task is binary"):
        find_boxes(opened(toy("binary")), None)
