"""A workspace that version 0.1.0 made is read, resumed and finished.

In `tests/v0_1_0` fold 0 is trained and predicted, and fold 1 was stopped inside its second epoch.
What 0.1.0 made of it is there too: the weights of fold 1 (`fold_1_weights.npz`, those of the moving
average behind "ema.") and the submission (`expected.json`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults import fault_toy  # noqa: F401 - registers the network

from comp.config.loading import load_config
from comp.data.folds.plan_file import load_plan
from comp.inference.predictions import Predictions
from comp.stages.experiment import open_experiment, read_plan, read_train
from comp.train.checkpoints import checkpoint

OLD = Path(__file__).parent / "v0_1_0"
EXPECTED = json.loads((OLD / "expected.json").read_text())
FOLDS = [Path("runs/toy") / f"fold_{number}" for number in range(2)]


@pytest.fixture
def old(workspace: Path) -> Path:
    """A copy of the old workspace, in which the test runs."""
    shutil.copytree(OLD, workspace, dirs_exist_ok=True)
    return workspace


def state_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of every file below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_the_plan_is_read_and_belongs_to_the_data(old: Path) -> None:
    experiment = open_experiment(load_config(Path("toy.yaml")))
    plan = read_plan(experiment, read_train(experiment))
    assert plan.fingerprint == EXPECTED["plan"]
    assert load_plan(Path("folds/toy.csv"), Path("folds/toy.json")).valid(0) == plan.valid(0)


def test_no_key_of_the_old_config_counts_as_changed(old: Path) -> None:
    experiment = open_experiment(load_config(Path("toy.yaml")))
    for number, folder in enumerate(FOLDS):
        assert experiment.workspace.fold(number).drift(experiment.config) == {}
        saved = checkpoint.load(folder / "last.pt")
        assert saved["plan"] == EXPECTED["plan"]
        assert (saved["epoch"], saved["step"]) == ((3, 0), (1, 1))[number]


def test_a_fold_is_resumed_and_ends_with_the_old_weights(
    old: Path, comp: Callable[..., tuple[int, str, str]]
) -> None:
    before = state_of(FOLDS[0])
    code, _, message = comp("train", "-c", "toy.yaml")
    assert code == 0, message
    assert "fold 0: finished before, skipped" in message
    assert "fold 1: resumed epoch 2 step 1" in message
    changed = [
        Path(name).name for name, state in state_of(FOLDS[0]).items() if before.get(name) != state
    ]
    assert set(changed) <= {"config.yaml", "lock"}  # the config is written with its new keys
    saved = checkpoint.load(FOLDS[1] / "last.pt")
    found = {**saved["model"], **{f"ema.{name}": value for name, value in saved["ema"].items()}}
    with np.load(OLD / "fold_1_weights.npz") as expected:
        assert set(expected) == set(found)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_old_predictions_are_used_and_give_the_old_submission(
    old: Path, comp: Callable[..., tuple[int, str, str]]
) -> None:
    assert comp("train", "-c", "toy.yaml")[0] == 0
    before = state_of(FOLDS[0])
    code, _, message = comp("ensemble", "-c", "toy.yaml")
    assert code == 0, message
    assert Path("submissions/toy.csv").read_text() == EXPECTED["submission"]
    assert state_of(FOLDS[0]) == before
    assert "fold 1: 6 valid images predicted" in message
    assert "fold 0: 6 valid images predicted" not in message


@pytest.mark.parametrize("part", ["valid", "test"])
def test_predictions_made_anew_equal_the_old_ones(
    old: Path, comp: Callable[..., tuple[int, str, str]], part: str
) -> None:
    kept = Predictions.load(FOLDS[0] / part)
    values = np.array(kept.probs)
    shutil.rmtree(FOLDS[0] / part)
    assert comp("predict", "-c", "toy.yaml", "--fold", "0")[0] == 0
    made = Predictions.load(FOLDS[0] / part)
    assert (made.ids, made.classes, made.link, made.source) == (
        kept.ids,
        kept.classes,
        kept.link,
        kept.source,
    )
    np.testing.assert_allclose(np.asarray(made.probs), values, rtol=1e-5, atol=1e-6)
