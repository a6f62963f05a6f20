import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from comp.config.workspace import RunDir
from comp.train import sessions
from comp.train.sessions import note_session


def entries(run: RunDir) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run.sessions.read_text())["sessions"]
    return found


def test_each_process_leaves_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/usr/bin/comp", "train", "--set", "name=a b"])
    note_session(run, 0, 0, "cpu")
    note_session(run, 1, 2, "cpu")
    monkeypatch.setattr("os.getpid", lambda: 1)
    note_session(run, 3, 4, "cuda")
    first, second = entries(run)
    assert (first["epoch"], first["step"], first["device"]) == (0, 0, "cpu")
    assert (second["epoch"], second["step"], second["device"]) == (3, 4, "cuda")
    assert first["command"] == "comp train --set 'name=a b'"
    assert {"comp", "python", "torch", "timm", "numpy", "albumentations"} <= set(first["versions"])


def test_the_commit_is_told_with_a_sign_of_changes(tmp_path: Path) -> None:
    assert sessions.git_commit(tmp_path) is None
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
    assert sessions.git_commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert sessions.git_commit(tmp_path) == head + "+changes"


def test_a_list_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.sessions.write_text("{torn")
    note_session(run, 0, 0, "cpu")
    assert len(entries(run)) == 1
