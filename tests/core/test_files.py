import os
import threading
import time
from pathlib import Path

import pytest

from comp.core import files
from comp.core.errors import CheckError, CompError, UsageError
from comp.core.scratch import held, scratch_path


def test_a_failed_write_leaves_the_old_content_and_no_orphan(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as beside:
        beside.write_text("half of the new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CompError, match=r"a\.txt: cannot be written"):
        files.write_text(tmp_path / "file" / "a.txt", "new")


def test_sweep_removes_orphans_of_dead_writers_only(tmp_path: Path) -> None:
    dead, kept = scratch_path(tmp_path / "last.pt"), tmp_path / "last.pt"
    for path in (dead, kept):
        path.write_text("x")
    with files.replacing(tmp_path / "b.pt") as alive:
        assert files.sweep(tmp_path) == [dead]
        assert sorted(tmp_path.iterdir()) == sorted([alive, kept])
    assert files.sweep(tmp_path / "absent") == []


def test_a_write_removes_what_dead_writers_of_the_same_file_left(tmp_path: Path) -> None:
    target = tmp_path / "a[1].json"
    dead, other = scratch_path(target), scratch_path(tmp_path / "b.json")
    dead.write_text("half")
    other.write_text("half")
    alive = scratch_path(target)
    with held(alive):
        files.write_text(target, "whole")
        assert sorted(tmp_path.iterdir()) == sorted([target, other, alive])
    files.write_text(target, "again")
    assert sorted(tmp_path.iterdir()) == sorted([target, other])


def test_json_round_trips_and_a_torn_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    files.write_json(path, {"이름": "글자", "b": [1, 2.5, None]})
    assert files.read_json(path) == {"이름": "글자", "b": [1, 2.5, None]}
    path.write_text(path.read_text()[:-8])
    with pytest.raises(CheckError, match=r"m\.json: not readable as JSON"):
        files.read_json(path)
    with pytest.raises(CheckError, match="no such file"):
        files.read_json(tmp_path / "absent.json")


def test_who_is_alone_in_a_folder_sweeps_what_looks_alive_too(tmp_path: Path) -> None:
    (tmp_path / f".a.{os.getpid()}.tmp").write_bytes(b"half")
    assert files.sweep(tmp_path) == []
    assert len(files.sweep(tmp_path, alone=True)) == 1


def test_a_line_is_added_below_half_a_line(tmp_path: Path) -> None:
    for start, whole in ((b"", b"x\n"), (b"a\n", b"a\nx\n"), (b"a\nb", b"a\nb\nx\n")):
        (tmp_path / "log").write_bytes(start)
        files.append_line(tmp_path / "log", "x")
        assert (tmp_path / "log").read_bytes() == whole
    with pytest.raises(CompError, match=r"none/log: cannot be written"):
        files.append_line(tmp_path / "none" / "log", "x")


def test_the_old_content_is_moved_aside_once_the_new_is_safe(tmp_path: Path) -> None:
    path, old = tmp_path / "a", tmp_path / "a.1"
    for content in (b"1", b"2", b"3"):
        with files.replacing(path, old=old) as beside:
            beside.write_bytes(content)
            assert path.exists() == (content != b"1")
    assert (path.read_bytes(), old.read_bytes()) == (b"3", b"2")


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompError, match="cannot be removed"):
        files.remove(tmp_path)


def test_a_large_old_generation_is_freed_in_the_background_and_before_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LARGE", 4)
    path, old = tmp_path / "a.pt", tmp_path / "a.1.pt"
    freed: list[tuple[str, bool]] = []
    real = files._free

    def free(dying: Path) -> None:
        freed.append((dying.read_text(), threading.current_thread() is threading.main_thread()))
        real(dying)

    monkeypatch.setattr(files, "_free", free)
    for text in ("first", "second", "third", "fourth"):
        with files.replacing(path, old=old) as beside:
            assert len({*tmp_path.iterdir()} - {beside}) <= 2, "nothing is left of what was freed"
            beside.write_text(text)
    with files.replacing(tmp_path / "other") as beside:
        beside.write_text("")
    assert (path.read_text(), old.read_text()) == ("fourth", "third")
    assert freed == [("first", False), ("second", False)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.1.pt", "a.pt", "other"]


def test_a_file_of_the_same_size_and_time_has_another_state(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before, at = files.file_stat(path), path.stat()
    time.sleep(0.02)  # a tick of the clock of files
    path.write_bytes(b"two")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    after = files.file_stat(path)
    assert after[:2] == before[:2]
    assert after != before
    assert files.file_stat(tmp_path / "absent") == files.UNKNOWN


def test_the_state_of_a_file_that_has_just_changed_is_not_noted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert files.settled(files.file_stat(tmp_path / "a")) == files.UNKNOWN
    then = time.time_ns() - 3_000_000_000
    assert files.settled((1, then, then, 7)) == (1, then, then, 7)
    assert files.settled((1, 0, time.time_ns() + 10**12, 7)) == files.UNKNOWN  # a clock that jumps


def test_a_name_in_other_letters_is_refused_where_it_is_new(tmp_path: Path) -> None:
    files.refuse_twin(tmp_path / "none" / "X")
    (tmp_path / "x").mkdir()
    files.refuse_twin(tmp_path / "x")
    files.refuse_twin(tmp_path / "xy")
    with pytest.raises(UsageError, match="one file; write the name as there"):
        files.refuse_twin(tmp_path / "X")
    (tmp_path / "X").mkdir()  # both were there before
    files.refuse_twin(tmp_path / "X")
