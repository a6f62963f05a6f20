"""Finished toy competitions of every kind, each with an ensemble and its bundle."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from toys import lay_masks, paint, toy_rows, toy_tree, write_csv

from comp.tasks.kinds import TASKS

OVER: dict[str, Any] = {
    "train__epochs": 1,
    "train__batch_size": 6,
    "image__size": 8,
    "augment__recipe": "none",
    "predict__tta": "hflip",
}
KINDS = tuple(TASKS)


def lay_toy(kind: str, root: Path, count: int = 20) -> None:
    """The images and tables of a toy competition, in `root`/input."""
    if kind.endswith("segmentation"):
        lay_masks(root / "input", count, layers=kind.startswith("multilabel"))
        return
    header, rows = toy_rows(kind, count)
    tests = [[f"t{number:03d}", *[0] * (len(header) - 1)] for number in range(8)]
    write_csv(root / "input/train.csv", [header, *rows])
    write_csv(root / "input/sample_submission.csv", [header, *tests])
    for number, row in enumerate([*rows, *tests]):
        part = "train" if number < len(rows) else "test"
        level = 40 + 80 * (float(row[1]) if part == "train" else number % 2)
        paint(root / f"input/{part}/{row[0]}.png", level, seed=number, size=8)


def finish(kind: str, root: Path, **over: Any) -> None:
    """Train a toy and write its submission and its bundle."""
    from comp.config.loading import make_config
    from comp.stages.ensemble import ensemble
    from comp.stages.experiment import open_experiment
    from comp.stages.folds import make_folds
    from comp.stages.shipping.bundle import make_bundle
    from comp.stages.train import train

    with contextlib.chdir(root):
        experiment = open_experiment(make_config(toy_tree(kind, **{**OVER, **over})))
        make_folds(experiment)
        train(experiment, "all")
        ensemble(experiment)
        make_bundle(experiment.name)


def taken_out(root: Path, kind: str, to: Path) -> Path:
    """The bundle, the test images and the sample alone, in an empty folder."""
    to.mkdir(parents=True, exist_ok=True)
    shutil.copytree(root / f"bundles/toy_{kind}", to / "bundle")
    shutil.copytree(root / "input/test", to / "images")
    shutil.copyfile(root / "input/sample_submission.csv", to / "sample.csv")
    return to
