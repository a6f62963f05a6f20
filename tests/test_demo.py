"""The README, and the demo that it promises."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score

from comp.config.loading import load_config
from comp.stages.experiment import check_names, open_experiment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def demo_commands() -> list[list[str]]:
    """What `make demo` runs after the install."""
    recipe = (ROOT / "Makefile").read_text().split("demo:")[1].split("\n\n")[0]
    return [line.strip().split()[1:] for line in recipe.splitlines()[1:]]


def test_the_demo_is_what_the_readme_shows() -> None:
    assert [words[0] for words in demo_commands()] == ["folds", "train", "ensemble"]
    for words in demo_commands():
        assert f"comp {' '.join(words)}" in README


def own_score(target: dict[str, str], given: dict[str, str]) -> float:
    """Macro F1 by scikit-learn, joined by id, with as many digits as are printed."""
    assert target.keys() == given.keys()
    pairs = [(target[name], given[name]) for name in target]
    return round(float(f1_score(*zip(*pairs, strict=True), average="macro")), 4)


def column(path: Path, name: str = "digit") -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["id"]: row[name] for row in csv.DictReader(handle)}


def out_of_fold(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The digit of each training image, and the most probable one of its own fold's model."""
    given: dict[str, str] = {}
    for fold in range(5):
        valid = folder / f"runs/default/fold_{fold}/valid"
        classes = json.loads((valid / "manifest.json").read_text())["classes"]
        ids = (valid / "ids.txt").read_text().splitlines()
        best = np.load(valid / "probs.npy").argmax(axis=1)
        given |= {name: classes[number] for name, number in zip(ids, best, strict=True)}
    return column(folder / "input/digits/train.csv"), given


@pytest.mark.slow
def test_the_demo_ends_with_both_scores_at_least_0_95(tmp_path: Path) -> None:
    """Its commands, with one epoch instead of five."""
    environment = {**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
    for words in demo_commands():
        done = subprocess.run(
            [sys.executable, "-m", "comp", *words, "--set", "train.epochs=1"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    scores = dict(re.findall(r"(honest|true) +│ +(\d\.\d+)", done.stdout))
    assert set(scores) == {"honest", "true"}
    assert min(map(float, scores.values())) >= 0.95
    submission, truth = tmp_path / "submissions/default.csv", "input/digits/test_answers.csv"
    assert float(scores["true"]) == own_score(column(tmp_path / truth), column(submission))
    target, argmax = out_of_fold(tmp_path)
    assert float(scores["honest"]) == pytest.approx(own_score(target, argmax), abs=0.005)
    assert (tmp_path / "submissions" / "default.csv").read_text().count("\n") == 361


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_loads_and_says_what_it_is_and_how_to_run_it(path: Path) -> None:
    check_names(open_experiment(load_config(path)))
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert header.startswith("# ")
    assert "comp train" in header
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == path.stem
