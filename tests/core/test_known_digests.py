"""What files hold: read again only where their state is another, or not known."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from comp.core import files, known_digests
from comp.core.checksums import short_digest
from comp.core.known_digests import FOLDER, note_digests


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three files, as if they had been there for long."""
    monkeypatch.setattr(files, "_SETTLED", -(10**18))
    (tmp_path / "in").mkdir()
    out = [tmp_path / "in" / name for name in ("a", "b", "c")]
    for path in out:
        path.write_bytes(path.name.encode())
    return out


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    real = known_digests.short_file_digest
    monkeypatch.setattr(
        known_digests, "short_file_digest", lambda path: names.append(path.name) or real(path)
    )
    return names


def known(paths: list[Path], cache: Path) -> list[str]:
    return known_digests.known_digests(paths, cache)


def replace_unseen(path: Path, content: bytes) -> None:
    """Another content of the same size, with the time of before."""
    at = path.stat()
    time.sleep(0.02)  # a tick of the clock of files
    path.write_bytes(content)
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


def test_files_that_have_not_changed_are_read_once(
    paths: list[Path], tmp_path: Path, read: list[str]
) -> None:
    expected = [short_digest(b"a"), short_digest(b"b"), short_digest(b"c")]
    assert [known(paths, tmp_path) for _ in range(3)] == [expected] * 3
    assert sorted(read) == ["a", "b", "c"]


def test_a_file_of_the_same_size_and_time_is_read_again(
    paths: list[Path], tmp_path: Path, read: list[str]
) -> None:
    known(paths, tmp_path)
    read.clear()
    replace_unseen(paths[1], b"x")
    assert known(paths, tmp_path)[1] == short_digest(b"x")
    assert read == ["b"]


def test_a_file_that_was_renamed_over_another_is_read_again(
    paths: list[Path], tmp_path: Path, read: list[str]
) -> None:
    known(paths, tmp_path)
    shutil.copy2(paths[0], tmp_path / "other")
    at = paths[1].stat()
    os.utime(tmp_path / "other", ns=(at.st_atime_ns, at.st_mtime_ns))
    (tmp_path / "other").replace(paths[1])
    assert known(paths, tmp_path)[1] == short_digest(b"a")


def test_a_copied_workspace_is_read_once_and_holds_the_same(
    paths: list[Path], tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = [path.relative_to(tmp_path) for path in paths]
    before = known(relative, Path("cache"))
    shutil.copytree(tmp_path, tmp_path / "there", ignore=lambda *_: ["there"])
    monkeypatch.chdir(tmp_path / "there")
    read.clear()
    assert [known(relative, Path("cache")) for _ in range(2)] == [before] * 2
    assert sorted(read) == ["a", "b", "c"]


def test_a_file_that_changed_just_now_is_not_trusted(
    paths: list[Path], tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of the clock a second change would leave the state as it is."""
    monkeypatch.setattr(files, "_SETTLED", 10**18)
    for _ in range(2):
        known(paths, tmp_path)
    assert sorted(read) == ["a", "a", "b", "b", "c", "c"]


def test_a_missing_file_is_never_known(paths: list[Path], tmp_path: Path) -> None:
    paths[2].unlink()
    assert known(paths, tmp_path)[2] == "missing"
    paths[2].write_bytes(b"c")
    assert known(paths, tmp_path)[2] == short_digest(b"c")


@pytest.mark.parametrize("damage", ["digit", "cut", "nonsense", "line"])
def test_damaged_notes_are_made_again(paths: list[Path], tmp_path: Path, damage: str) -> None:
    before = known(paths, tmp_path)
    (notes,) = (tmp_path / FOLDER).iterdir()
    text = notes.read_text()
    changed = {
        "digit": text[:-2] + ("0" if text[-2] != "0" else "1") + "\n",
        "cut": text[: len(text) // 2],
        "nonsense": "\x00",
        "line": text + text.splitlines()[-1] + "\n",
    }[damage]
    notes.write_text(changed)
    assert known(paths, tmp_path) == before
    assert notes.read_text() == text


def test_what_is_noted_is_not_read(paths: list[Path], tmp_path: Path, read: list[str]) -> None:
    states = [files.file_stat(path) for path in paths]
    note_digests(paths, [(state, "f" * 32) for state in states], tmp_path)
    assert known(paths, tmp_path) == ["f" * 32] * 3
    assert read == []


def test_a_cache_that_cannot_be_written_costs_time_only(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert known(paths, tmp_path / "file")[0] == short_digest(b"a")
