"""Results know the libraries and the commit that they were made with."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
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


def _repository(folder: Path, *form: str) -> Callable[..., str]:
    """A repository with one commit of the files `a` and `.gitattributes`; what runs git in it."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    folder.mkdir(exist_ok=True)
    git("init", *form)
    (folder / "a").write_text("1")
    (folder / ".gitattributes").write_text("a filter=evil diff=evil\n")
    git("add", "a", ".gitattributes")
    git("commit", "-m", "a")
    return git


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    canary, evil = tmp_path / "canary", tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    evil.chmod(0o755)
    work, inner = tmp_path / "work", tmp_path / "inner"
    _repository(inner)
    git = _repository(work)
    git("submodule", "add", str(inner), "sub")
    git("commit", "-m", "sub")
    head = git("rev-parse", "HEAD")
    config = "".join(
        f"[{section}]\n\t{key} = {evil}\n"
        for section, key in (
            ("core", "fsmonitor"), ("core", "pager"), ("core", "sshCommand"), ("core", "editor"),
            ("core", "gitProxy"), ("core", "askPass"), ("core", "alternateRefsCommand"),
            ("diff", "external"), ('diff "evil"', "command"), ('diff "evil"', "textconv"),
            ('filter "evil"', "clean"), ('filter "evil"', "process"), ('filter "evil"', "smudge"),
            ("gpg", "program"), ("credential", "helper"), ("sequence", "editor"),
        )
    )  # fmt: skip
    included = tmp_path / "included"
    included.write_text(config)
    for own in (work / ".git/config", work / ".git/modules/sub/config"):
        with own.open("a") as file:
            file.write(f"{config}\thooksPath = {tmp_path}\n[include]\n\tpath = {included}\n")
    for hooks in (work / ".git/hooks", tmp_path):
        for name in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
            (hooks / name).write_bytes(evil.read_bytes())
            (hooks / name).chmod(0o755)
    os.utime(work / "a", ns=(1, 1))  # so that git looks into it
    assert git_commit(work) == head
    (work / "a").write_text("2")
    (work / "sub/a").write_text("2")
    assert git_commit(work) == head + "+changes"
    assert not canary.exists()
    git("status")  # the test itself: git alone runs it
    assert canary.exists()


def test_a_commit_is_found_wherever_git_keeps_it(tmp_path: Path) -> None:
    git = _repository(tmp_path / "work")
    head = git("rev-parse", "HEAD")
    git("worktree", "add", str(tmp_path / "linked"))
    (tmp_path / "work/inner").mkdir()
    assert git_commit(tmp_path / "linked") == git_commit(tmp_path / "work/inner") == head
    git("pack-refs", "--all")
    git("gc")
    assert git_commit(tmp_path / "linked") == git_commit(tmp_path / "work") == head
    git("checkout", "--detach")
    assert git_commit(tmp_path / "work") == head
    (tmp_path / "linked/a").write_text("2")
    assert git_commit(tmp_path / "linked") == head + "+changes"
    assert git_commit(tmp_path / "work") == head
    long = _repository(tmp_path / "long", "--object-format=sha256")("rev-parse", "HEAD")
    assert (len(long), git_commit(tmp_path / "long")) == (64, long)


@pytest.mark.parametrize("text", ["", "ref: refs/heads/none", "ref: ../../../x", "nonsense"])
def test_a_head_that_names_no_commit_is_none(tmp_path: Path, text: str) -> None:
    _repository(tmp_path)
    (tmp_path / ".git/HEAD").write_text(text)
    assert git_commit(tmp_path) is None


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert found["comp"] == comp.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    monkeypatch.setattr(provenance, "_LIBRARIES", ("numpy", "no-such-library"))
    assert [*versions()] == ["comp", "python", "numpy"]
