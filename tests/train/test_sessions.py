import json
from pathlib import Path
from typing import Any

import pytest

from comp.config.workspace import RunDir
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


def test_a_call_is_noted_with_its_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("comp.train.sessions.git_commit", lambda folder: folder.name)
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    note_session(run, 0, 0, "cpu", command="comp.train(...)", workspace=tmp_path / "work")
    (entry,) = entries(run)
    assert (entry["command"], entry["folder"]) == ("comp.train(...)", str(tmp_path / "work"))
    assert entry["git"] == {"comp": "comp", "here": "work"}


def test_a_list_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.sessions.write_text("{torn")
    note_session(run, 0, 0, "cpu")
    assert len(entries(run)) == 1


def test_a_secret_on_the_command_line_is_not_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DACON_TOKEN", "tok-1234567890")
    monkeypatch.setattr("sys.argv", ["comp", "train", "--set", "name=tok-1234567890"])
    run = RunDir(tmp_path)
    note_session(run, 0, 0, "cpu")
    assert entries(run)[0]["command"] == "comp train --set name=***"
    assert "1234567890" not in run.sessions.read_text()
