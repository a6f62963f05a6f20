"""Scratch files: kept while their writer lives, wherever it runs, and swept when it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from comp.core import scratch
from comp.core.scratch import ABANDONED_SECONDS, discard, held, place_of, scratch_path

HOLD = """
import sys
from pathlib import Path
from comp.core.scratch import held
with held(Path(sys.argv[1]), folder=bool(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_what_is_written_is_kept_and_swept_at_once_when_its_writer_is_killed(
    tmp_path: Path, folder: bool
) -> None:
    path = scratch_path(tmp_path / "a.bin")
    command = [sys.executable, "-c", HOLD, str(path), "yes" if folder else ""]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        assert path.is_dir() == folder
        assert not discard(path)
        assert path.exists()
        writer.kill()
    assert discard(path)
    assert not path.exists()
    assert not discard(path)


@pytest.mark.parametrize("name", [".a.{other}aaaaaa.tmp", ".a.{pid}.tmp"], ids=["host", "pid"])
def test_from_elsewhere_only_the_age_says_that_a_writer_is_gone(tmp_path: Path, name: str) -> None:
    """A process number, as earlier versions wrote it, is of an unknown machine."""
    other = "000000" if place_of(tmp_path) != "000000" else "000001"
    path = tmp_path / name.format(other=other, pid=999999999)
    path.write_bytes(b"half")
    assert not discard(path)
    old = time.time() - ABANDONED_SECONDS - 9
    os.utime(path, (old, old))
    assert discard(path)
    assert not path.exists()


def test_two_scratch_files_of_one_name_differ_and_name_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (scratch_path(tmp_path / "x.csv") for _ in range(2))
    assert one != two
    assert one.name.startswith(f".x.csv.{place_of(tmp_path)}")
    assert len(one.name) == len(".x.csv..tmp") + 12
    here = place_of(tmp_path)
    monkeypatch.setattr(scratch, "_kernel", lambda: "another boot of another machine")
    assert place_of(tmp_path) != here


def test_a_kernel_without_a_boot_id_goes_by_the_name_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_BOOT", tmp_path / "absent")
    monkeypatch.setattr("socket.gethostname", lambda: "h1")
    assert scratch._kernel.__wrapped__() == "h1"


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = scratch_path(tmp_path / "a"), scratch._opened
    swept: list[bool] = []

    def slow(path: Path, folder: bool) -> int:
        handle = opened(path, folder)
        if not swept:
            swept.append(discard(path))
        return handle

    monkeypatch.setattr(scratch, "_opened", slow)
    with held(path):
        assert swept == [True]
        assert path.exists()
        assert not discard(path)


def test_who_is_alone_sweeps_without_asking(tmp_path: Path) -> None:
    path = scratch_path(tmp_path / "a")
    with held(path):
        assert discard(path, alone=True)
    assert not path.exists()
