"""The tests that docs/gpu.md names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def named() -> list[tuple[str, str]]:
    """Files and parts of names of tests, as the last column of the tables says them."""
    found, path = [], ""
    for line in (ROOT / "docs/gpu.md").read_text(encoding="utf-8").splitlines():
        if not re.search(r"^\|.*test_\w+\.py", line):
            continue
        for word in re.findall(r"`([\w/.]+)`", line.rsplit("|", 2)[-2]):
            if word.endswith(".py"):
                path = word
                found.append((path, ""))
            elif word not in ("cuda", "") and not word.endswith((".md", "/")):
                found.append((path, word))
    return found


@pytest.mark.parametrize(("path", "name"), named())
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    files = [*(ROOT / "tests").rglob(f"{Path(path).name}")]
    files = [file for file in files if file.as_posix().endswith(path)]
    assert files
    assert any(re.search(rf"def test_\w*{name}", file.read_text()) for file in files)


def test_the_page_names_tests() -> None:
    assert len(named()) > 40
