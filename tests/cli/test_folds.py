"""`comp folds` as it is typed: what is written, and the next command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(toy: Callable[..., dict[str, Any]]) -> str:
    Path("toy.yaml").write_text(yaml.safe_dump(toy("binary", 8)))
    return "toy.yaml"


def test_a_plan_is_written_once_and_the_next_command_names_its_folds(
    comp: Run, config: str
) -> None:
    code, out, err = comp("folds", "make", "-c", config)
    assert (code, out.splitlines()[0]) == (0, "8 images, 2 folds, stratified, seed 42")
    assert err.splitlines() == [
        "wrote folds/toy_binary.csv",
        "next: comp train -c toy.yaml --fold 0..1",
    ]
    assert comp("folds", "make", "-c", config)[2].splitlines()[0] == (
        "unchanged: folds/toy_binary.csv"
    )
    code, _, err = comp("folds", "make", "-c", config, "--set", "seed=7")
    assert (code, "another plan is there" in err) == (3, True)
    code, _, err = comp("folds", "make", "-c", config, "--set", "seed=7", "--replace")
    assert (code, err.splitlines()[0]) == (0, "wrote folds/toy_binary.csv")


def test_a_hold_out_has_one_fold(comp: Run, config: str) -> None:
    _, _, err = comp("folds", "make", "-c", config, "--set", "folds.holdout=0.5")
    assert err.splitlines()[-1].endswith("--set folds.holdout=0.5 --fold 0")


@pytest.mark.parametrize("more", [["--replace"], ["--repeats", "2"]])
def test_extending_goes_with_nothing_that_makes_plans(
    comp: Run, config: str, more: list[str]
) -> None:
    code, out, err = comp("folds", "make", "-c", config, "--extend", *more)
    assert (code, out) == (2, "")
    assert "--extend keeps the plan; it does not go with --replace or --repeats" in err
    assert not Path("folds").exists()


def test_extending_gives_new_ids_a_fold_and_needs_some(comp: Run, config: str) -> None:
    comp("folds", "make", "-c", config)
    before = Path("folds/toy_binary.csv").read_text().splitlines()
    code, _, err = comp("folds", "make", "-c", config, "--extend")
    assert (code, "there is nothing new to extend it with" in err) == (3, True)
    with Path("input/train.csv").open("a") as table:
        table.write("00008,0\n")
    Path("input/train/00008.png").write_bytes(Path("input/train/00000.png").read_bytes())
    code, out, _ = comp("folds", "make", "-c", config, "--extend", "--json", "--allow-leak")
    assert (code, json.loads(out)["extended"]) == (0, 1)
    assert Path("folds/toy_binary.csv").read_text().splitlines()[:-1] == before


def test_each_repeat_has_its_command(comp: Run, config: str) -> None:
    code, _, err = comp("folds", "make", "-c", config, "--repeats", "3")
    assert code == 0
    assert err.splitlines()[-2:] == [
        f"and folds/toy_binary_r{k}.csv: comp train -c toy.yaml --set name=toy_binary_r{k}"
        for k in (1, 2)
    ]


def test_nnunets_splits_there_and_back(comp: Run, config: str) -> None:
    comp("folds", "make", "-c", config)
    plan = json.loads(Path("folds/toy_binary.json").read_text())["fingerprint"]
    code, out, _ = comp("folds", "export", "-c", config, "--out", "splits.json")
    assert (code, out) == (0, "splits.json\n")
    code, _, err = comp("folds", "import", "splits.json", "-c", config)
    assert code == 0, err
    code, out, _ = comp("folds", "import", "splits.json", "-c", config, "--replace", "--json")
    found = json.loads(out)
    assert (code, found["scheme"], found["fingerprint"]) == (0, "imported", plan)


def test_a_plan_is_shown_and_drawn(comp: Run, config: str) -> None:
    code, out, err = comp("folds", "show", "-c", config)
    assert (code, out, "comp folds make" in err) == (3, "", True)
    comp("folds", "make", "-c", config)
    code, out, err = comp("folds", "show", "-c", config, "--picture", "b.png", "--json")
    assert (code, json.loads(out)["balance"]["rows"], err) == (0, [4, 4], "wrote b.png\n")
    assert Path("b.png").read_bytes().startswith(b"\x89PNG")
