"""`comp init` writes a config that can be used, or says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from scaffold_toys import images, new_config

from comp.core.errors import UsageError
from comp.stages.init import init


def test_a_config_is_not_written_over(workspace: Path) -> None:
    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    path = init(Path("input/toy"), None, replace=False).path
    with pytest.raises(UsageError, match=r"configs/toy.yaml: exists already.*--replace"):
        init(Path("input/toy"), None, replace=False)
    assert init(Path("input/toy"), None, replace=True).path == path


def test_korean_names_survive(workspace: Path) -> None:
    images("input/과일 🍎/사과", ["1.png"])
    images("input/과일 🍎/배", ["3.png"])
    made, config = new_config("input/과일 🍎")
    assert config.data.root == "input/과일 🍎"
    assert config.name == "과일"
    assert "# 2 classes: 배 1, 사과 1" in made.text


def test_what_the_config_lacks_is_a_problem(workspace: Path) -> None:
    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    (problem,) = init(Path("input/toy"), None, replace=False).problems
    assert "the folder input/toy/test is missing" in problem
