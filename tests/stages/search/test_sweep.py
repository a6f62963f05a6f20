from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.config.loading import load_config
from comp.core.errors import ConfigError, UsageError
from comp.report.console.tables import print_sweep
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.search import sweep as module
from comp.stages.search.sweep import read_sweep, sweep

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def base(toy: Toy) -> Path:
    path = Path("toy.yaml")
    path.write_text(yaml.safe_dump(toy("multiclass", train__epochs=1)))
    make_folds(open_experiment(load_config(path)), replace=False)
    return path


def write(tree: dict[str, Any]) -> Path:
    path = Path("trial.yaml")
    path.write_text(yaml.safe_dump({"config": "toy.yaml", **tree}, sort_keys=False))
    return path


@pytest.mark.usefixtures("base")
def test_a_grid_is_every_combination_on_one_plan_best_first() -> None:
    grid = {"train.lr": [1e-4, 3e-3], "augment.recipe": ["none", "light"]}
    result = sweep(write({"grid": grid, "fold": 1}), ["train.batch_size=6"])
    settings = [tuple(run.settings.values()) for run in result.runs]
    assert sorted(settings) == [(lr, name) for lr in (1e-4, 3e-3) for name in ("light", "none")]
    scores = [run.score for run in result.runs]
    assert scores == sorted(scores, key=lambda score: -(score or 0))
    rows = result.table.read_text().splitlines()
    assert rows[0] == "run,train.lr,augment.recipe,macro_f1,valid_loss,note"
    assert len(rows) == 5
    for run in result.runs:
        kept = yaml.safe_load(Path(f"runs/{run.name}/fold_1/config.yaml").read_text())
        assert kept["train"]["lr"] == run.settings["train.lr"]
        assert (kept["train"]["batch_size"], kept["folds"]["plan"]) == (6, "toy_multiclass")
    assert [path.name for path in Path("folds").glob("*.csv")] == ["toy_multiclass.csv"]


@pytest.mark.usefixtures("base")
def test_a_sweep_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{"train.lr": 1e-4}, {"model.drop_rate": 0.5}]
    first = sweep(write({"runs": runs[:1]}), [])
    trained: list[str] = []
    real = module.train

    def spy(experiment: Any, fold: str) -> Any:
        (result,) = real(experiment, fold)
        trained.append(f"{experiment.name} {'before' if result.before else 'now'}")
        return [result]

    monkeypatch.setattr(module, "train", spy)
    both = sweep(write({"runs": runs}), [])
    (old,) = [run for run in both.runs if "train.lr" in run.settings]
    (new,) = [run for run in both.runs if "train.lr" not in run.settings]
    assert trained == [f"{old.name} before", f"{new.name} now"]
    assert old == first.runs[0]


@pytest.mark.usefixtures("base")
def test_a_run_that_cannot_be_built_is_noted_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = sweep(write({"runs": [{"model.name": "no_such_net"}, {"train.lr": 1e-3}]}), [])
    good, bad = result.runs
    assert good.score is not None
    assert (bad.score, "has no 'no_such_net'" in bad.note) == (None, True)
    print_sweep(result)
    shown = capsys.readouterr().out
    assert "failed" in shown
    assert "has no" not in shown


@pytest.mark.usefixtures("base")
def test_a_search_asks_optuna_and_goes_on_where_it_died(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    space = {
        "train.lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "augment.recipe": ["none", "light"],
        "train.batch_size": {"low": 4, "high": 8},
    }
    path = write({"search": {"trials": 3, "space": space}})
    real, calls = module.train, iter(range(100))

    def dies(experiment: Any, fold: str) -> Any:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return real(experiment, fold)

    monkeypatch.setattr(module, "train", dies)
    with pytest.raises(KeyboardInterrupt):
        sweep(path, [])
    result = sweep(path, [])
    assert len(result.runs) == len({run.name for run in result.runs}) == 3
    for run in result.runs:
        assert 1e-4 <= run.settings["train.lr"] <= 1e-2
        assert run.settings["train.batch_size"] in range(4, 9)
    assert sweep(path, []).runs == result.runs


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(
    ("tree", "error", "message"),
    [
        ({}, ConfigError, "exactly one of grid, runs and search"),
        ({"grid": {"train.lr": [1]}, "runs": [{}]}, ConfigError, "exactly one of"),
        ({"gird": {}}, ConfigError, "gird: unknown key; .*Did you mean 'grid'"),
        ({"grid": {"train.lr": []}}, ConfigError, r"grid\.train\.lr"),
        ({"grid": {"train.lrr": [1]}}, ConfigError, "Did you mean 'lr'"),
        (
            {"grid": {"train.sched": ["step", "cosin"]}},
            ConfigError,
            r'the run \{"train\.sched": "cosin"\}: unknown train\.sched',
        ),
        ({"runs": [{}], "fold": 9}, UsageError, r"fold 9; the plan has folds 0\.\.1"),
    ],
)
def test_a_sweep_that_cannot_be_right_stops_before_any_training(
    tree: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sweep(write(tree), [])
    assert not Path("runs").exists()


def test_a_missing_file_is_named(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_sweep(workspace / "none.yaml")
