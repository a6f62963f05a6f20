"""A competition that was trained, predicted and submitted once; each test spoils its own copy."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import paint, toy_rows, toy_tree, write_csv

from comp.config.loading import make_config
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.train import train

OVER: dict[str, Any] = {
    "train__batch_size": 6,
    "image__size": 8,
    "augment__recipe": "none",
    "ensemble__tune": False,
}


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    header, rows = toy_rows("binary", 24)
    tests = [[f"t{number:03d}", 0] for number in range(6)]
    write_csv(folder / "input/train.csv", [header, *rows])
    write_csv(folder / "input/sample_submission.csv", [header, *tests])
    for number, row in enumerate([*rows, *tests]):
        part = "train" if number < len(rows) else "test"
        paint(folder / f"input/{part}/{row[0]}.png", 40 + 80 * (number % 2), seed=number, size=8)
    with contextlib.chdir(folder):
        experiment = open_experiment(make_config(toy_tree("binary", **OVER)))
        make_folds(experiment, replace=False)
        train(experiment, "all")
        ensemble(experiment)
    return folder


@pytest.fixture
def finished(_finished: Path, workspace: Path) -> Callable[..., dict[str, Any]]:
    """A finished workspace; `finished(train__lr=1)` gives its config with values laid over it."""
    shutil.copytree(_finished, workspace, dirs_exist_ok=True)
    return lambda **over: toy_tree("binary", **{**OVER, **over})


@pytest.fixture
def planned(finished: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same before any training."""
    for folder in ("runs", "submissions"):
        shutil.rmtree(folder)
    return finished
