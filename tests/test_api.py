"""The Python API: what each function gives back, and what it leaves as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import comp

STAGES = ("make_folds", "check", "pack", "train", "predict", "ensemble", "submit", "read_plan")


@pytest.fixture
def elsewhere(
    toy: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], Path, Path]:
    """A toy config, its workspace, and an empty folder that is the current one."""
    tree, work = toy("multiclass"), Path.cwd()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tree, work, here


def test_importing_comp_imports_nothing_heavy() -> None:
    code = (
        "import sys, comp\n"
        "heavy = {'torch', 'pandas', 'pydantic', 'numpy', 'cv2', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_documented() -> None:
    for name in comp.__all__:
        assert getattr(comp, name).__doc__, name
    assert {*comp.__all__} <= {*dir(comp)}
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = comp.trian


def test_a_function_stays_itself_when_the_folder_of_its_name_is_imported() -> None:
    code = (
        "import importlib, inspect, pickle, comp\n"
        "modules = {'train': 'stop', 'check': 'findings', 'ensemble': 'votes'}\n"
        "for name, module in modules.items():\n"
        "    before = getattr(comp, name)\n"
        "    inside = importlib.import_module(f'comp.{name}.{module}')\n"
        "    function = getattr(comp, name)\n"
        "    assert function is before and inspect.isfunction(function), function\n"
        "    assert getattr(function, module) is inside\n"
        "    assert pickle.loads(pickle.dumps(function)) is function\n"
        "import comp.train.stop as stop\n"
        "from comp.train import stop as again\n"
        "assert comp.train.stop.Stop is stop.Stop is again.Stop\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(comp.errors.ConfigError, match=r"nowhere.yaml: no such file"):
        comp.train("nowhere.yaml", "work")


def test_the_whole_chain_runs_from_another_folder_and_leaves_nothing_there(
    elsewhere: tuple[dict[str, Any], Path, Path],
) -> None:
    tree, work, here = elsewhere
    plan = comp.make_folds(tree, work, quiet=True)
    assert plan.frame.index.tolist() == [f"{number:05d}" for number in range(24)]
    assert (plan.balance["images"].tolist(), plan.count) == ([12, 12], 2)
    assert plan.path == work / "folds/toy_multiclass.csv"
    assert sorted([*plan.train(0), *plan.valid(0)]) == plan.frame.index.tolist()
    assert comp.read_plan(tree, work, quiet=True).fingerprint == plan.fingerprint
    checked = comp.check(tree, work, quiet=True)
    assert checked.ok
    assert checked.classes.to_dict() == {"0": 8, "1": 8, "2": 8}
    assert comp.pack(tree, work, quiet=True).table["images"].to_dict() == {"train": 24, "test": 6}
    trained = comp.train(tree, work, quiet=True)
    assert trained.folds["epochs"].tolist() == [2, 2]
    assert trained.history.groupby("fold").size().tolist() == [2, 2]
    assert comp.train(tree, work, folds=0, quiet=True).folds["skipped"].tolist() == [True]
    found = comp.predict(tree, work, quiet=True)
    assert found.oof.index.tolist() == plan.frame.index.tolist()
    assert found.oof.columns.tolist() == ["0", "1", "2"]
    assert found.oof.sum(axis=1).tolist() == pytest.approx([1] * 24, abs=1e-5)
    assert found.test_mean.sum(axis=1).tolist() == pytest.approx([1] * 6, abs=1e-5)
    mean = (found.test[0].frame + found.test[1].frame.loc[found.test[0].frame.index]) / 2
    assert (found.test_mean - mean).abs().max().max() < 1e-6
    assert comp.read_predictions(tree, work, quiet=True).oof.equals(found.oof)
    made = comp.ensemble(tree, work, quiet=True)
    assert made.submission is not None
    assert made.submission["id"].tolist() == [f"t{number:03d}" for number in range(6)]
    assert made.members["weight"].sum() == pytest.approx(1)
    names = [f"runs/toy_multiclass/fold_{fold}/test" for fold in (0, 1)]
    assert made.members["member"].tolist() == names
    assert comp.submit(tree, work, quiet=True).rows == 6
    assert set(comp.board(work, quiet=True).runs["kind"]) == {"run", "submission"}
    assert list(here.iterdir()) == []
    assert str(work) not in made.manifest.read_text()


def test_weights_and_plugins_are_found_below_the_workspace(
    elsewhere: tuple[dict[str, Any], Path, Path],
) -> None:
    from comp.stages.experiment import open_experiment

    tree, work, _ = elsewhere
    tree = {**tree, "model": {**tree["model"], "weights": "w.pt"}, "plugins": ["parts.py"]}
    (work / "parts.py").write_text("x = 1\n")
    experiment = open_experiment(comp.load_config(tree), work)
    assert experiment.config.model.weights == "w.pt"
    assert experiment.config.model.at(work).weights == str(work / "w.pt")
    assert (experiment.data.root, experiment.config.data.root) == (str(work / "input"), "input")
    assert experiment.path("blend.yaml") == work / "blend.yaml"
    comp.make_folds(tree, work, quiet=True)
    with pytest.raises(comp.errors.ModelError, match=str(work / "w.pt")):
        comp.train(tree, work, quiet=True)


def test_mistakes_are_exceptions_with_the_message_of_the_command_line(
    elsewhere: tuple[dict[str, Any], Path, Path],
) -> None:
    tree, work, _ = elsewhere
    with pytest.raises(comp.errors.ConfigError, match="Did you mean 'epochs'"):
        comp.train({**tree, "train": {"epoch": 3}}, work)
    with pytest.raises(comp.errors.PlanError):
        comp.read_plan(tree, work)
    with pytest.raises(comp.errors.DataError, match=r"Set data\.root in the config\.$"):
        comp.make_folds({**tree, "data": {**tree["data"], "root": "inptu"}}, work)
    with pytest.raises(comp.CompError, match="there is no fold 7"):
        comp.make_folds(tree, work, quiet=True)
        comp.train(tree, work, folds=[7])
    with pytest.raises(comp.errors.UsageError, match="nothing to show"):
        comp.board(work)
