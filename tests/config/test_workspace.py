from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config, plain
from comp.config.workspace import Workspace, changes
from comp.core.errors import RunError

TREE: dict[str, Any] = {
    "name": "x",
    "task": "binary",
    "metric": "macro_f1",
    "data": {"root": "input"},
}


def test_every_path_follows_from_the_name(tmp_path: Path) -> None:
    space = Workspace("글자", tmp_path)
    assert space.plan_csv == tmp_path / "folds" / "글자.csv"
    assert space.fold(3).last == tmp_path / "runs" / "글자" / "fold_3" / "last.pt"
    assert space.submission_json == tmp_path / "submissions" / "글자.json"
    assert space.fold(0).checkpoint("best") == space.fold(0).best


def test_a_run_begun_with_another_config_is_refused_with_the_keys(tmp_path: Path) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.claim(make_config(TREE))
    run.claim(make_config(TREE))
    run.last.touch()
    with pytest.raises(RunError, match=r"train\.lr: 0\.001 -> 0\.5") as caught:
        run.claim(make_config({**TREE, "train": {"lr": 0.5}}))
    assert "another `name`" in str(caught.value)


@pytest.mark.parametrize(
    "free",
    [{"train": {"workers": 3}}, {"ensemble": {"vote": "hard"}}, {"predict": {"tta": "hflip"}}],
)
def test_what_does_not_change_the_training_may_change(tmp_path: Path, free: dict[str, Any]) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.claim(make_config(TREE))
    run.last.touch()
    run.claim(make_config({**TREE, **free}))
    assert run.drift(make_config(TREE)) == {}


def test_a_key_that_an_older_version_did_not_have_has_its_default(tmp_path: Path) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.claim(make_config(TREE))
    run.last.touch()
    text = run.config.read_text(encoding="utf-8")
    assert "  start: deal\n" in text
    run.config.write_text(text.replace("  start: deal\n", ""), encoding="utf-8")
    assert run.drift(make_config(TREE)) == {}
    other = make_config({**TREE, "folds": {"start": "iterative"}})
    assert run.drift(other) == {"folds.start": (None, "iterative")}


def test_a_sum_of_losses_that_became_the_default_is_a_change(tmp_path: Path) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.claim(make_config({**TREE, "train": {"loss": {"bce": 1.0}}}))
    run.done.touch()
    assert run.drift(make_config(TREE)) == {"train.loss.bce": (1.0, None)}


@pytest.mark.parametrize("text", [None, "a: ["])
def test_a_folder_in_which_nothing_was_learned_is_free(tmp_path: Path, text: str | None) -> None:
    """A config may be refused after it has claimed its folder; the next one is no change."""
    run, other = Workspace("x", tmp_path).fold(0), make_config({**TREE, "train": {"lr": 0.5}})
    run.claim(make_config(TREE))
    if text is not None:
        run.config.write_text(text)
    run.teacher.mkdir()
    assert not run.begun
    run.claim(other)
    assert not run.teacher.exists(), "made for the config before"
    run.teacher.mkdir()
    run.claim(other)
    assert run.teacher.exists()
    assert "lr: 0.5" in run.config.read_text()
    run.top(3).touch()
    with pytest.raises(RunError, match=r"train\.lr: 0\.5 -> 0\.001"):
        run.refuse_drift(make_config(TREE))


def test_claiming_sweeps_what_a_crash_left(tmp_path: Path) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.claim(make_config(TREE))
    orphan = run.path / ".last.pt.999999999.tmp"
    orphan.write_bytes(b"half")
    run.claim(make_config(TREE))
    assert not orphan.exists()


def test_a_damaged_config_in_a_run_is_named(tmp_path: Path) -> None:
    run = Workspace("x", tmp_path).fold(0)
    run.path.mkdir(parents=True)
    run.config.write_text("a: [")
    run.last.touch()
    with pytest.raises(RunError, match=r"config\.yaml"):
        run.claim(make_config(TREE))


def test_the_plan_of_its_own_name_is_the_plan_of_the_experiment() -> None:
    tree = {"name": "x", "task": "binary", "metric": "f1", "data": {"root": "in"}}
    config, named = make_config(tree), make_config({**tree, "folds": {"plan": "x"}})
    assert named == config
    old = plain(config)
    old["folds"]["plan"] = "x"  # as version 0.2.0 kept it
    assert changes(old, named) == {}
    other = make_config({**tree, "folds": {"plan": "y"}})
    assert changes(old, other) == {"folds.plan": (None, "y")}
