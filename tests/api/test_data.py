"""`comp.load_config`, `init`, `check`, `make_folds`, `read_plan` and `pack` give plain frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import paint, write_csv

import comp
from comp.config.loading import dump_config
from comp.core.errors import ConfigError, PlanError, UsageError

Toy = Callable[..., dict[str, Any]]


def test_sets_are_laid_over_a_config() -> None:
    config = comp.load_config(None, ["train.lr=1e-4"])
    assert (config.name, config.train.lr) == ("default", 1e-4)
    assert comp.load_config(config, ["name=other"]).name == "other"


def test_a_config_is_read_from_a_file_below_the_workspace_or_from_values(
    tmp_path: Path, toy: Toy
) -> None:
    tree = toy("binary")
    config = comp.load_config(tree)
    assert (config.name, config.train.batch_size) == ("toy_binary", 8)
    (tmp_path / "toy.yaml").write_text(dump_config(config))
    assert comp.load_config("toy.yaml", workspace=tmp_path) == config
    read = comp.load_config("toy.yaml", ["seed=7"], workspace=tmp_path)
    assert read == comp.load_config(tree, ["seed=7"])
    with pytest.raises(ConfigError, match="sed: unknown key"):
        comp.load_config(tree, ["sed=7"])
    assert tree == toy("binary"), "what is given is not changed"


def test_init_writes_a_config_below_the_workspace(
    toy: Toy, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy("binary", 4)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    begun = comp.init("input", workspace, quiet=True)
    assert begun.config == workspace / "configs/input.yaml"
    assert begun.text == begun.config.read_text()
    assert "root: input" in begun.text
    assert (begun.guesses, begun.problems) == (begun.text.count("# ?") - 1, ())
    assert comp.load_config("configs/input.yaml", workspace=workspace).name == "input"
    with pytest.raises(UsageError, match="exists already"):
        comp.init("input", workspace, quiet=True)
    again = comp.init("input", workspace, out="mine.yaml", replace=True, quiet=True)
    assert again.config == workspace / "mine.yaml"
    assert list((tmp_path / "here").iterdir()) == []


def test_a_check_is_frames_of_findings_proposals_and_classes(toy: Toy, workspace: Path) -> None:
    tree = toy("binary", 12)
    found = comp.check(tree, workspace, quiet=True)
    assert found.classes.to_dict() == {"0": 6, "1": 6}
    assert list(found.findings.columns) == ["level", "text", "ids"]
    assert found.findings["level"].isin(["error", "warning", "note"]).all()
    assert found.ok
    assert found.page == workspace / "checks/toy_binary.html"
    assert found.page.is_file()
    assert found.record["classes"] == {"0": 6, "1": 6}
    (workspace / "input/train/00007.png").write_bytes(b"")
    bad = comp.check(tree, workspace, quiet=True)
    assert not bad.ok
    assert bad.findings.loc[0, ["level", "ids"]].tolist() == ["error", ("00007",)]
    assert comp.check(tree, workspace, skip_unreadable=True, quiet=True).ok
    assert comp.make_folds(tree, workspace, quiet=True).frame.index.size == 11


def test_proposed_groups_have_a_row_per_image_and_are_held_together_when_accepted(
    toy: Toy, workspace: Path
) -> None:
    tree = toy("binary", 12)
    copy = (workspace / "input/train/00001.png").read_bytes()
    (workspace / "input/train/00003.png").write_bytes(copy)
    found = comp.check(tree, workspace, quiet=True).proposals
    assert found.to_dict("list") == {
        "id": ["00001", "00003"],
        "group": ["g0001", "g0001"],
        "confidence": [1.0, 1.0],
    }
    with pytest.raises(PlanError, match="divides what belongs together"):
        comp.make_folds({**tree, "seed": apart(tree, workspace)}, workspace, quiet=True)
    comp.check(tree, workspace, accept_groups=True, quiet=True)
    plan = comp.make_folds(tree, workspace, quiet=True)
    assert plan.frame.loc["00001", "group"] == plan.frame.loc["00003", "group"]
    assert plan.frame.loc["00001", "fold"] == plan.frame.loc["00003", "fold"]


def apart(tree: dict[str, Any], workspace: Path) -> int:
    """A seed whose plan divides the copies 00001 and 00003; no plan is left behind."""
    for seed in range(20):
        given = {**tree, "seed": seed}
        plan = comp.make_folds(given, workspace, replace=True, allow_leak=True, quiet=True)
        for path in (workspace / "folds").iterdir():
            path.unlink()
        if plan.frame.loc["00001", "fold"] != plan.frame.loc["00003", "fold"]:
            return seed
    raise AssertionError("every seed keeps them together")


def test_a_plan_is_a_frame_by_id_with_its_balance(toy: Toy, workspace: Path) -> None:
    tree = toy("binary", 8)
    plan = comp.make_folds(tree, workspace, quiet=True)
    assert plan.frame.index.tolist() == [f"{number:05d}" for number in range(8)]
    assert plan.frame["label"].tolist() == ["0", "1"] * 4
    assert plan.frame["group"].isna().all()
    assert str(plan.frame["fold"].dtype) == "int64"
    assert plan.balance.to_dict("list") == {"images": [4, 4], "0": [2, 2], "1": [2, 2]}
    assert (plan.count, plan.scheme, plan.seed, plan.warnings) == (2, "stratified", 42, ())
    assert plan.path == workspace / "folds/toy_binary.csv"
    zeros = plan.frame.index[plan.frame["fold"] == 0].tolist()
    assert (plan.valid(0), plan.train(1)) == (zeros, zeros)
    assert sorted(plan.valid(1) + zeros) == plan.frame.index.tolist()
    again = comp.read_plan(tree, workspace, quiet=True)
    assert again.frame.equals(plan.frame)
    assert again.fingerprint == plan.fingerprint


def test_several_labels_are_a_column_each_and_masks_are_left_out(toy: Toy, workspace: Path) -> None:
    plan = comp.make_folds(toy("multilabel", 6), workspace, quiet=True)
    assert plan.frame[["bright", "odd"]].to_numpy().tolist() == [
        [1, 0], [0, 1], [0, 0], [1, 1], [0, 0], [0, 1],
    ]  # fmt: skip
    (workspace / "input").rename(workspace / "other")
    masked = comp.make_folds(toy("segmentation", 6), workspace, quiet=True)
    assert "mask" not in masked.frame.columns


def test_another_plan_is_replaced_or_extended_only_on_request(toy: Toy, workspace: Path) -> None:
    tree = toy("binary", 8)
    first = comp.make_folds(tree, workspace, quiet=True)
    other = {**tree, "seed": 7}
    with pytest.raises(PlanError, match="another plan is there"):
        comp.make_folds(other, workspace, quiet=True)
    assert comp.make_folds(other, workspace, replace=True, quiet=True).seed == 7
    comp.make_folds(tree, workspace, replace=True, quiet=True)
    rows = [[f"{n:05d}", n % 2] for n in range(10)]
    write_csv(workspace / "input/train.csv", [["id", "label"], *rows])
    for number in (8, 9):
        paint(workspace / f"input/train/{number:05d}.png", 40, seed=number)
    with pytest.raises(PlanError, match="2 new ids"):
        comp.read_plan(tree, workspace, quiet=True)
    plan = comp.make_folds(tree, workspace, extend=True, quiet=True)
    assert plan.frame["fold"].iloc[:8].tolist() == first.frame["fold"].tolist()
    assert plan.frame.index.size == 10


def test_a_pack_is_a_row_per_part(toy: Toy, workspace: Path) -> None:
    table = comp.pack(toy("segmentation", 4), workspace, verify=True, quiet=True).table
    assert table["images"].to_dict() == {"train": 4, "test": 6, "masks": 4}
    assert list(table.columns) == ["images", "folder", "bytes", "seconds"]
    assert all(folder.parent == workspace / "cache" for folder in table["folder"])
    none = comp.pack(toy("binary", 4, image__pack="none"), workspace, quiet=True).table
    assert none["folder"].isna().all()
