"""The README, and the demo that it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from comp.config.loading import load_config
from comp.stages.experiment import check_names, open_experiment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def demo_commands() -> list[list[str]]:
    """What `make demo` runs after the install."""
    recipe = (ROOT / "Makefile").read_text().split("demo:")[1].split("\n\n")[0]
    return [line.strip().split()[1:] for line in recipe.splitlines()[1:]]


def test_the_demo_is_what_the_readme_shows() -> None:
    for words in demo_commands():
        assert f"comp {' '.join(words)}" in README


@pytest.mark.slow
def test_the_demo_ends_with_both_scores_at_least_0_97(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
    for words in demo_commands():
        done = subprocess.run(
            [sys.executable, "-m", "comp", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    scores = dict(re.findall(r"(honest|true) +│ +(\d\.\d+)", done.stdout))
    assert set(scores) == {"honest", "true"}
    assert min(map(float, scores.values())) >= 0.97
    assert (tmp_path / "submissions" / "default.csv").read_text().count("\n") == 361


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_loads_and_says_what_it_is_and_how_to_run_it(path: Path) -> None:
    check_names(open_experiment(load_config(path)))
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert header.startswith("# ")
    assert "comp train" in header
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == path.stem
