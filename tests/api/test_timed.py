"""`comp.tune`, `comp.run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import comp
from comp.stages import run as stage
from comp.stages.search import tune as module
from comp.stages.search.budget import Speed

Planned = Callable[..., dict[str, Any]]


def test_a_search_gives_its_trials_as_a_frame(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setattr(module, "measure_speed", lambda _: Speed(0.01, 0.04, 0.0))
    found = comp.tune(planned(), ".", 10.0, trials=1, quiet=True)
    assert found.trials.loc[0, "train.lr"] == 3e-3
    assert found.trials.loc[0, "rounds"] == 3
    assert (found.gain, found.spread, found.better) == (None, None, False)
    assert found.settings == {"train.epochs": 3}
    assert comp.load_config(found.config).train.epochs == 3
    assert found.config == Path("configs/toy_binary_tuned.yaml")


def test_a_folder_becomes_a_submission(toy: Callable[..., Any], monkeypatch: Any) -> None:
    toy("binary")
    monkeypatch.setattr(stage, "measure_speed", lambda _: Speed(0.1, 0.4, 0.0))
    monkeypatch.setattr(stage, "_LEAST_ROUND", float("inf"))
    sets = ["model.name=test_resnet", "model.pretrained=false", "image.size=24", "folds.count=2"]
    done = comp.run("input", ".", 0.2, sets=sets, quiet=True)
    assert not done.partial
    assert done.ensemble.covered == 24
    assert list(done.ensemble.submission["id"]) == [f"t{n:03d}" for n in range(6)]
    assert comp.load_config(done.config).name == "input_run"


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), "2"])
def test_hours_are_a_number_above_zero(planned: Planned, hours: Any) -> None:
    with pytest.raises(comp.errors.UsageError, match="give a number above 0"):
        comp.tune(planned(), ".", hours)
    with pytest.raises(comp.errors.UsageError, match="give a number above 0"):
        comp.run("input", ".", hours)


def test_a_config_ends_in_yaml(planned: Planned) -> None:
    with pytest.raises(comp.errors.UsageError, match=r"a config ends in \.yaml"):
        comp.tune(planned(), ".", 1.0, out="tuned")
