"""A row for each of some validation images: the image, its truth, what was predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from net_toys import DEVICE, FULL, Pixels
from train_jobs import make_job

from comp.models.networks import Net
from comp.report import fold_pictures
from comp.report.fold_pictures import show_validation
from comp.report.overlay import overlay
from comp.train.job import Job
from comp.train.validate import Validation

NET = Net(Pixels(), DEVICE, *FULL)  # of three columns the brightest channel is decided for


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was given to the contact sheet."""
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        fold_pictures, "contact_sheet", lambda *given, columns: drawn.append((*given, columns))
    )
    return drawn


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, "segmentation")


def counts(job: Job, dice: list[float]) -> np.ndarray:
    """Pixels (n, C, 4) of class 1: that many hits of 100 for each validation image."""
    out = np.zeros((len(job.valid_rows), 3, 4), np.int64)
    for place, value in enumerate(dice):
        hits = round(100 * value)
        out[place, 1] = hits, 100 - hits, 100 - hits, 0
    return out


def test_truth_and_prediction_stand_beside_the_image(job: Job, sheets: list[Any]) -> None:
    dice = [number / 20 for number in range(len(job.valid_rows))]
    show_validation(job, NET, Validation(1.0, 0.5, counts(job, dice)), epoch=4)
    ((pictures, titles, path, columns),) = sheets
    assert path == job.run.path / "pictures/epoch_005.png"
    assert columns == 3
    assert titles == [
        *["worst", "truth", "prediction"] * 2,
        *["median", "truth", "prediction"] * 2,
        *["best", "truth", "prediction"] * 2,
    ]
    worst, truth, predicted = pictures[:3]
    row = int(job.valid_rows[0])
    assert job.masks is not None
    assert (worst == np.asarray(job.images[row])).all()
    assert (truth == overlay(worst, job.masks[row])).all()
    brightest = worst.argmax(axis=2).astype(np.uint8)[..., None]
    assert (predicted == overlay(worst, brightest)).all()
    assert (pictures[-3] == np.asarray(job.images[int(job.valid_rows[-1])])).all()


def test_where_no_image_can_be_ranked_the_first_is_shown(job: Job, sheets: list[Any]) -> None:
    empty = np.zeros((len(job.valid_rows), 3, 4), np.int64)
    show_validation(job, NET, Validation(1.0, 0.5, empty), epoch=0)
    ((pictures, titles, path, _),) = sheets
    assert (titles, path.name) == (["first", "truth", "prediction"], "epoch_001.png")
    assert (pictures[0] == np.asarray(job.images[int(job.valid_rows[0])])).all()


def test_classification_has_no_such_pictures(tmp_path: Path, sheets: list[Any]) -> None:
    show_validation(make_job(tmp_path), NET, Validation(1.0, 0.5), epoch=0)
    assert sheets == []


def test_the_pictures_are_a_file_in_the_run_folder(job: Job) -> None:
    show_validation(job, NET, Validation(1.0, 0.5, counts(job, [0.5])), epoch=0)
    (path,) = (job.run.path / "pictures").iterdir()
    assert path.read_bytes().startswith(b"\x89PNG")
