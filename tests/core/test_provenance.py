"""Results know the libraries and the commit that they were made with."""

import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

import comp
from comp.core import provenance
from comp.core.provenance import git_commit, versions


def test_the_commit_of_a_folder_says_whether_tracked_files_were_changed(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(tmp_path), *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git(*who, "commit", "-m", "a")
    head = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == head + "+changes"
    (tmp_path / "a").write_text("1")
    (tmp_path / "untracked").write_text("")
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions/x.csv").write_text("1")
    git("add", "submissions")
    assert git_commit(tmp_path) == head


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert found["comp"] == comp.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    monkeypatch.setattr(provenance, "_LIBRARIES", ("numpy", "no-such-library"))
    assert [*versions()] == ["comp", "python", "numpy"]
