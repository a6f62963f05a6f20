"""The texts of a winner's archive."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from comp.bundles.contents import read_bundle
from comp.bundles.winner import (
    Facts,
    directory_structure,
    requirements,
    time_words,
    winner_texts,
)


@pytest.fixture
def facts(shipped: Callable[[str], Path]) -> Facts:
    return Facts(
        bundle=read_bundle(shipped("binary") / "bundles/toy_binary"),
        folds={"toy_binary": [0, 1]},
        seconds={"toy_binary": 90.0},
        machines=["cpu; Linux"],
        images="test",
        samples=["sample_submission.csv"],
        partial=False,
        missing=["put w.pt into `weights/`"],
        private=0.75,
        singles={},
        submission="toy_binary.csv",
        refits={"toy_binary": 2},
    )


def test_the_files_are_those_that_kaggle_names(facts: Facts) -> None:
    found = winner_texts(facts, "./data")
    assert {"README.md", "SETTINGS.json", "entry_points.md", "model_summary.md"} <= {*found}
    assert json.loads(found["SETTINGS.json"]) == {
        "RAW_DATA_DIR": "./data",
        "MODEL_DIR": "./models",
        "SUBMISSION_DIR": "./submissions",
    }
    for name in ("winner_common.py", "prepare_data.py", "train.py", "predict.py"):
        compile(found[name], name, "exec")
    assert "**TODO**: put w.pt into `weights/`" in found["README.md"]
    assert "RUNS = {'toy_binary': '0,1'}" in found["winner_common.py"]
    assert "REFITS = {'toy_binary': 2}" in found["winner_common.py"]


def test_the_summary_is_filled_and_what_is_open_is_marked(facts: Facts) -> None:
    page = winner_texts(facts, "./data")["model_summary.md"]
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## A1. Background on you and your team",
        "## A2. Background on you",
        "## A3. Summary",
        "## A4. Features: images, augmentation, other data",
        "## A5. Training methods",
        "## A6. Interesting findings",
        "## A7. Simple features and methods",
        "## A8. Model execution time",
        "## A9. References",
    ]
    assert "- Private leaderboard score: 0.75\n" in page
    network = facts.bundle.config.model.name
    assert f"2 networks (`{network}`), trained from scratch on 20 images" in page
    assert "| training, all networks | 90 s |" in page
    assert "| the simple model | 45 s to train one fold |" in page
    assert page.count("**TODO**") > 10


def test_of_several_runs_the_best_alone_is_the_simple_model(facts: Facts) -> None:
    more = {**vars(facts), "singles": {"a`b": 0.5, "c": 0.25}}
    page = winner_texts(Facts(**more), "./data")["model_summary.md"]
    assert "The best run alone, ``a`b``, scores 0.5000 out of fold (honest)" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ({"a": 60.4, "b": 10.0}, "70 s"),
        ({"a": 3600.0}, "60 min"),
        ({"a": 9000.0}, "2.5 h"),
        ({"a": 1.0, "b": None}, "**TODO**"),
    ],
)
def test_the_time_is_told_in_its_unit(seconds: dict[str, float | None], words: str) -> None:
    assert time_words(seconds) == words


def test_packages_and_folders_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").touch()
    assert directory_structure(tmp_path) == ".\n./a\n./b\n./b/c\n"
    lines = requirements(tmp_path / "comp-1-py3-none-any.whl").splitlines()
    assert lines[-1] == "./wheels/comp-1-py3-none-any.whl"
    assert any(line.startswith("torch==") for line in lines)
