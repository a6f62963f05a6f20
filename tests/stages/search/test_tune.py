"""`comp tune`: trials, the comparison with the given config, the config that is written."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from comp.config.loading import load_config, make_config
from comp.core.errors import TrainError
from comp.data.index.index import Index
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.search import tune as module
from comp.stages.search.budget import Speed
from comp.stages.search.tune import ranking, tune, verdict_of
from comp.stages.train import train
from comp.tasks.metrics import METRICS

pytest.importorskip("optuna")
Planned = Callable[..., dict[str, Any]]
F1, LOSS = METRICS["macro_f1"], METRICS["log_loss"]
OUT = Path("configs/tuned.yaml")
HOURS = 10.0  # no test waits for its end: the speed below makes an epoch last for minutes


@pytest.fixture
def experiment(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(module, "measure_speed", lambda _: Speed(0.01, 0.04, 0.0))
    return open_experiment(make_config(planned()))


def test_a_search_ends_with_a_config_that_trains_on_the_same_plan(experiment: Experiment) -> None:
    found = tune(experiment, HOURS, OUT, trials=3)
    assert len(found.tried) == 3
    assert found.tried[0].rounds == 3
    name = experiment.config.name
    config = load_config(OUT)
    assert (config.name, config.folds.plan) == ("tuned", name)
    assert config.train.epochs == found.settings["train.epochs"] >= 2
    for key, value in found.settings.items():
        section, field = key.split(".")
        assert getattr(getattr(config, section), field) == value
    done = train(open_experiment(config), "all")
    before = [fold.before for fold in done]
    assert before == [found.verdict is not None] * 2  # the folds of the comparison are its folds
    rows = list(csv.DictReader(found.table.read_text().splitlines()))
    assert [float(row[found.metric]) for row in rows[:1]] == [found.tried[0].score]
    assert {"rounds", "valid_loss", "train.lr", "augment.recipe", "note"} <= set(rows[0])


def test_a_search_goes_on_from_what_was_tried(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = module.kept_trial, iter(range(1000))

    def dies(*given: Any) -> Any:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(module, "kept_trial", dies)
    with pytest.raises(KeyboardInterrupt):
        tune(experiment, HOURS, OUT, trials=4)
    first = sorted(path.name for path in Path(f"runs/{experiment.name}/tune").glob("trial*.json"))
    assert len(first) == 4
    found = tune(experiment, HOURS, OUT, trials=4)
    settings = [tuple(one.settings.values()) for one in found.tried]
    assert len(set(settings)) == len(settings) >= 4


def test_an_unclear_difference_is_no_win() -> None:
    assert verdict_of((0.80, 0.80, 0.80), (0.85, 0.84, 0.86), F1).better
    unclear = verdict_of((0.80, 0.80, 0.80), (0.95, 0.75, 0.80), F1)
    assert not unclear.better
    assert unclear.gain == pytest.approx(0.0333, abs=1e-4)
    assert unclear.spread == pytest.approx(np.std([0.15, -0.05, 0.0], ddof=1))
    assert verdict_of((0.5, 0.5), (0.4, 0.41), LOSS).better
    assert not verdict_of((0.5, 0.5), (0.6, 0.61), LOSS).better
    assert not verdict_of((0.5,), (0.9,), F1).better


def test_what_does_not_win_is_not_written(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = module.Verdict((0.9, 0.9), (0.8, 0.95), False)
    monkeypatch.setattr(module._Search, "_compare", lambda *_: lost)
    found = tune(experiment, HOURS, OUT, trials=2)
    assert set(found.settings) == {"train.epochs"}
    assert load_config(OUT).train.lr == experiment.config.train.lr
    if found.verdict:
        assert "which is no win" in OUT.read_text()


def rare(count: int, of: int, classes: int = 2) -> Index:
    labels = np.zeros(of, dtype=np.int64)
    labels[:count] = 1
    labels[count : count + classes - 2] = np.arange(2, classes)
    ids = tuple(f"i{number:04d}" for number in range(of))
    names = tuple(f"class {number}" for number in range(classes))
    return Index(ids, tuple(Path(name) for name in ids), names, labels)


def test_few_positives_are_ranked_and_not_decided(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ranking(experiment, rare(30, 680), 136).name == "roc_auc"
    assert "6 images in a validation part: trials are ranked by roc_auc" in capsys.readouterr().err
    assert ranking(experiment, rare(300, 680), 136).name == "macro_f1"


def test_time_for_no_trial_is_said(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEARCH", 0.0)
    with pytest.raises(TrainError, match="no trial ended within 0 minutes. Give more --hours"):
        tune(experiment, HOURS, OUT)
    assert not OUT.exists()


def test_the_written_config_says_what_was_changed(experiment: Experiment) -> None:
    tune(experiment, HOURS, OUT, trials=1)
    text = OUT.read_text()
    assert "tuned: written by `comp tune` on the plan of toy_binary" in text
    assert f"# was {experiment.config.train.epochs}" in text
    assert yaml.safe_load(text)["data"]["root"] == "input"
