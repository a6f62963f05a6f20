"""`comp run`: from a folder of data to a submission."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.config.loading import load_config
from comp.core.errors import CheckError, OutOfTime
from comp.stages import run as module
from comp.stages.run import run
from comp.stages.search.budget import Speed

Toy = Callable[..., dict[str, Any]]
SMALL = (
    "model.name=test_resnet",
    "model.pretrained=false",
    "image.size=24",
    "train.batch_size=6",
    "folds.count=2",
)


@pytest.fixture
def data(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data, no config; and no time is long enough for a search."""
    toy("binary")
    monkeypatch.setattr(module, "_LEAST_ROUND", float("inf"))
    return Path("input")


def speed(monkeypatch: pytest.MonkeyPatch, train: float) -> None:
    found = Speed(train, 4 * train, 0.0)
    monkeypatch.setattr(module, "measure_speed", lambda _: found)


def test_a_folder_becomes_a_checked_submission(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speed(monkeypatch, 0.05)
    done = run(data, 1.5, sets=SMALL)
    assert done.config == Path("configs/input_run.yaml")
    config = load_config(done.config)
    assert (config.name, config.folds.plan) == ("input_run", "input")
    # 1.5 h x 0.92 / 2 folds / 1.15 = 2160 s; an epoch is 12 / 0.05 + 12 / 0.2 = 300 s
    assert config.train.epochs == 7
    rows = list(csv.reader(done.made.path.read_text().splitlines()))
    assert [row[0] for row in rows[1:]] == [f"t{number:03d}" for number in range(6)]
    assert done.made.covered == 24
    said = capsys.readouterr().err
    steps = [line for line in said.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in steps] == ["init", "check", "folds", "train", "ensemble"]
    written = done.decisions.read_text()
    assert "train.epochs: 7" in written
    assert "no search: its shortest trials would have" in written


def test_the_same_command_goes_on_and_decides_nothing_again(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speed(monkeypatch, 0.2)
    real = module.train

    def late(experiment: Any, folds: str, **given: Any) -> Any:
        real(experiment, "0")
        raise OutOfTime("the time is over")

    monkeypatch.setattr(module, "train", late)
    first = run(data, 1.0, sets=SMALL)
    assert first.partial
    assert first.made.covered == 12
    before = first.config.read_text()
    monkeypatch.setattr(module, "train", real)
    capsys.readouterr()
    second = run(data, 0.1, sets=SMALL)
    assert not second.partial
    assert second.made.covered == 24
    assert second.config.read_text() == before
    assert "fold 0: finished before, skipped" in capsys.readouterr().err


def test_a_slow_machine_gets_smaller_images(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speed(monkeypatch, 0.05)
    small = [text.replace("image.size=24", "image.size=96") for text in SMALL]
    done = run(data, 1.0, sets=small)
    assert load_config(done.config).image.size == 64
    assert "image.size: 64 instead of 96, so that 15 epochs fit" in done.decisions.read_text()


def test_without_weights_at_hand_it_trains_from_scratch(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [text for text in SMALL if "pretrained" not in text]
    sets[0] = "model.name=resnet10t"
    real = module.measure_speed

    def slow(experiment: Any) -> Speed:
        real(experiment)  # it loads the network
        return Speed(0.05, 0.2, 0.0)

    monkeypatch.setattr(module, "measure_speed", slow)
    done = run(data, 0.3, sets=sets)
    assert load_config(done.config, sets).model.pretrained is False
    assert "Training from scratch" in done.decisions.read_text()


def test_where_there_is_time_a_search_writes_the_config(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    speed(monkeypatch, 0.05)
    monkeypatch.setattr(module, "_LEAST_ROUND", 20.0)
    asked: list[Any] = []

    def tune(experiment: Any, hours: float, out: Path) -> Any:
        asked.append((experiment.config.train.epochs, round(hours, 1), out))
        tree = yaml.safe_load(Path("configs/input.yaml").read_text())
        tree |= {"name": out.stem, "folds": {"count": 2, "plan": "input"}}
        tree["train"] = {"epochs": 1, "batch_size": 6}
        out.write_text(yaml.safe_dump(tree))
        raise_or = type("Tuned", (), {"settings": {"train.lr": 1.0}, "table": Path("t.csv")})
        return raise_or()

    monkeypatch.setattr(module, "tune", tune)
    done = run(data, 20.0, sets=SMALL)
    assert asked == [(60, 18.4, Path("configs/input_run.yaml"))]
    assert "comp tune: {'train.lr': 1.0}; see t.csv" in done.decisions.read_text()


def test_data_with_errors_are_not_trained_on(data: Path) -> None:
    rows = Path("input/train.csv").read_text().splitlines()
    Path("input/train.csv").write_text("\n".join([*rows, "99999,1", "99999,0"]) + "\n")
    with pytest.raises(CheckError, match="the data have errors"):
        run(data, 0.1, sets=SMALL)
    assert not Path("runs").exists()


@pytest.mark.parametrize("better", [True, False])
def test_a_probe_beside_pretrained_networks_is_kept_where_it_scores_better(
    data: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    import timm
    import torch

    torch.save(timm.create_model("test_resnet").state_dict(), "w.pt")
    speed(monkeypatch, 0.5)
    real = module.ensemble

    def scored(experiment: Any, request: Any) -> Any:
        made = real(experiment, request)
        value = 0.7 if len(request.runs) < 2 else (0.8 if better else 0.6)
        scores = replace(made.blend.scores, honest=value)
        return replace(made, blend=replace(made.blend, scores=scores))

    monkeypatch.setattr(module, "ensemble", scored)
    done = run(data, 0.2, sets=[*SMALL, "model.weights=w.pt", "augment.recipe=flips"])
    assert load_config(done.config).model.probe is None
    probe = load_config(done.config.with_name("input_run_probe.yaml"))
    assert (probe.model.probe, probe.model.views, probe.image.size) == ("logistic", "flips", 24)
    both = "input_run+input_run_probe.csv"
    assert done.made.path.name == (both if better else "input_run.csv")
    if better:  # again: what was decided before stays written
        run(data, 0.2, sets=[*SMALL, "model.weights=w.pt", "augment.recipe=flips"])
    told = done.decisions.read_text()
    assert "train.epochs: " in told
    assert f"macro_f1 {0.8 if better else 0.6:.4f} (honest), without 0.7000" in told


def test_no_time_for_a_probe_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm
    import torch

    torch.save(timm.create_model("test_resnet").state_dict(), "w.pt")
    speed(monkeypatch, 0.5)
    monkeypatch.setattr(module, "probe_settings", lambda *_: None)
    done = run(data, 0.2, sets=[*SMALL, "model.weights=w.pt"])
    assert "there is no time for its features" in done.decisions.read_text()
    assert done.made.path.name == "input_run.csv"
