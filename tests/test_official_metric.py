"""A competition's metric file, unchanged, through the three commands."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toys import write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, MetricError, RunError
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.folds import make_folds
from comp.stages.status import read_status
from comp.stages.train import train

Toy = Callable[..., dict[str, Any]]
FILES = Path(__file__).parent / "official_files"


@pytest.fixture
def patients(toy: Toy) -> Toy:
    """A toy whose table names a patient for each image, and the metric files beside it."""

    def make(**over: Any) -> dict[str, Any]:
        tree = toy("binary", 24, **over)
        with Path("input/train.csv").open(newline="") as handle:
            head, *rows = csv.reader(handle)
        patients = [[*row, f"p{number % 5}"] for number, row in enumerate(rows)]
        write_csv(Path("input/train.csv"), [[*head, "patient"], *patients])
        for file in FILES.glob("*.py"):
            shutil.copy(file, file.name)
        return tree

    return make


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def test_a_file_with_a_groupby_chooses_epochs_tunes_and_scores(
    patients: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = opened(patients(metric="by_group.py", official={"arguments": {"weight": 0.5}}))
    assert "this config runs the Python file by_group.py (metric); higher scores are better" in (
        capsys.readouterr().err
    )
    make_folds(experiment, replace=False)
    train(experiment, "all")
    assert "by_group.py: answers without a mistake score 0.5" in capsys.readouterr().err
    made = ensemble(experiment)
    table = pd.read_csv("input/train.csv", dtype={"id": str}).set_index("id")
    hits = []
    for fold in range(2):
        found = Predictions.load(Path(f"runs/toy_binary/fold_{fold}/valid"))
        own = table.loc[list(found.ids)]
        hit = (np.asarray(found.probs)[:, 0] >= 0.5) == (own["label"] == 1)
        hits.append(hit)
        rows = pd.read_csv(f"runs/toy_binary/fold_{fold}/history.csv")
        best = rows.loc[rows["best"] == 1, "by_group.py"].iloc[-1]
        assert best == pytest.approx(0.5 * hit.groupby(own["patient"]).mean().mean())
    whole = pd.concat(hits)
    mean = 0.5 * whole.groupby(table.loc[whole.index, "patient"]).mean().mean()
    assert made.blend.scores.raw == pytest.approx(mean)
    assert made.blend.scores.low <= made.blend.scores.honest <= made.blend.scores.high
    manifest = json.loads(made.manifest.read_text())
    assert manifest["metric"] == "by_group.py"
    assert len(manifest["config"]["official"]["sha256"]) == 64


def test_what_a_file_says_reaches_the_user(patients: Toy) -> None:
    keys = {"better": "lower", "wants": "probs"}
    tree = patients(metric="strict.py", official=keys)
    experiment = opened(tree)
    write_csv(
        Path("input/sample_submission.csv"),
        [["id", "label"], *[[f"t{number:03d}", 0.5] for number in range(6)]],
    )
    make_folds(experiment, replace=False)
    with pytest.raises(MetricError, match=r"strict\.py says: Probabilities go from 0\.0 to 1\.0"):
        train(experiment, "0")
    assert not Path("runs").exists()


def test_a_file_that_was_changed_is_noticed(patients: Toy) -> None:
    tree = patients(metric="by_group.py")
    make_folds(opened(tree), replace=False)
    train(opened(tree), "0")
    with Path("by_group.py").open("a") as handle:
        handle.write("# another\n")
    with pytest.raises(RunError, match=r"official\.sha256: '\w{64}' -> '\w{64}'"):
        train(opened(tree), "0")
    with pytest.raises(ConfigError, match=r"metric: gone\.py: no such file"):
        opened({**tree, "metric": "gone.py"})


def test_the_status_of_a_run_with_a_file_is_what_it_is(
    patients: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = patients(metric="by_group.py")
    make_folds(opened(tree), replace=False)
    train(opened(tree), "0")
    capsys.readouterr()
    first, second = read_status(make_config(tree)).folds
    assert (first.state, first.changed, second.state) == ("done", (), "missing")
    assert "runs the Python file" not in capsys.readouterr().err
    with Path("by_group.py").open("a") as handle:
        handle.write("# another\n")
    assert read_status(make_config(tree)).folds[0].changed == ("official.sha256",)


def test_a_file_without_a_number_for_the_truth_is_refused(patients: Toy) -> None:
    tree = patients(metric="nan.py")
    Path("nan.py").write_text("def score(a, b, c): return float('nan')\n")
    make_folds(opened(tree), replace=False)
    with pytest.raises(ConfigError, match=r"nan\.py: answers without a mistake score nan"):
        train(opened(tree), "0")
