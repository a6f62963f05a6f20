"""Packs that are built row by row: what a kill, a full disk or damage leaves of them."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from pack_toys import (
    SMALL,
    count_decoded,
    expected,
    long_ago,
    only_build,
    only_folder,
    refuse_to_decode,
)

import comp.data.cache.pack as module
from comp.config.schema import ImageConfig
from comp.core.checksums import short_digest
from comp.core.errors import CompError, DataError
from comp.core.files import UNKNOWN
from comp.data.cache import build
from comp.data.cache.build import Row, of_files
from comp.data.cache.contents import CONTENTS
from comp.data.cache.pack import open_pack
from comp.data.index.index import Index
from comp.data.index.sources import Source
from comp.stages.experiment import sweep_cache


def test_all_unreadable_images_are_named_at_once_and_nothing_is_left(
    index: Index, tmp_path: Path
) -> None:
    index.paths[2].unlink()
    index.paths[17].write_bytes(b"")
    index.paths[39].write_bytes(b"<html>")
    with pytest.raises(DataError) as caught:
        open_pack(index, SMALL, tmp_path / "cache")
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 of 40 images cannot be read:"
    assert "'결함_002'" in lines[1]
    assert "no such file" in lines[1]
    assert "결함_017.png: an empty file" in lines[2]
    assert "결함_039.png: a web page" in lines[3]
    assert len(lines) == 4
    assert [*only_folder(tmp_path / "cache").iterdir()] == [only_build(tmp_path / "cache")]


def test_a_disk_that_is_too_small_is_found_before_anything_is_decoded(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 3_000_000))
    refuse_to_decode(monkeypatch)
    big = ImageConfig(size=400)
    with pytest.raises(CompError, match=r"need 19 MB, the disk has 3 MB free.*image\.size"):
        open_pack(index, big, tmp_path / "cache")


def test_a_disk_that_fills_up_on_the_way_is_told_with_its_room(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build.Build, "_commit", write)
    with pytest.raises(CompError, match=r"need 0 MB, the disk has .* MB free\. Make room"):
        open_pack(index, SMALL, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_an_error(index: Index, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CompError, match=r"cache/\w+: cannot be written"):
        open_pack(index, SMALL, tmp_path / "cache")


def test_what_a_killed_process_left_is_removed(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / CONTENTS["memmap"](index, SMALL).folder
    folder.mkdir()
    (folder / ".images.npy.999999999.tmp").write_bytes(b"half")
    open_pack(index, SMALL, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "images.npy",
        "manifest.json",
        "rows.txt",
    ]


def test_what_a_kill_after_the_manifest_left_is_removed_and_a_build_is_not(
    index: Index, tmp_path: Path
) -> None:
    """Found by the loop over all faults: a build that nobody asks for again stayed for ever."""
    open_pack(index, SMALL, tmp_path)
    folder = tmp_path / CONTENTS["memmap"](index, SMALL).folder
    for token, name in (("a" * 12, "journal"), ("b" * 12, "rows")):
        (folder / f".build.{token}.part").mkdir()
        (folder / f".build.{token}.part" / name).write_bytes(b"")
    (folder / ".lock").write_text("")
    sweep_cache(tmp_path)
    assert [path.name for path in folder.glob(".*")] == [f".build.{'b' * 12}.part"]


@pytest.mark.parametrize("left", ["journal", "lock"])
def test_what_a_kill_after_the_manifest_left_is_removed_by_the_next_that_opens_the_pack(
    index: Index, tmp_path: Path, left: str
) -> None:
    """4 of 77 kills of `comp pack` at random moments: the next one found the pack whole."""
    open_pack(index, SMALL, tmp_path)
    folder = tmp_path / CONTENTS["memmap"](index, SMALL).folder
    (folder / ".lock").write_text("")
    if left == "journal":
        (folder / f".build.{'a' * 12}.part").mkdir()
        (folder / f".build.{'a' * 12}.part" / "journal").write_bytes(b"")
    open_pack(index, SMALL, tmp_path)
    assert [*folder.glob(".*")] == []


def test_packing_leaves_the_threads_of_opencv_as_they_were(index: Index, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        open_pack(index, SMALL, tmp_path)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def killed_at(index: Index, cache: Path, row: int) -> None:
    """A child that dies, as by kill -9, when it is to take in row `row`; it commits each 3 rows."""
    code = f"""
import os, pickle, sys
from pathlib import Path
from comp.config.schema import ImageConfig
from comp.data.cache import build, pack
from comp.data.index.sources import Source
build._COMMIT_BYTES = 3 * 192
add, seen = build.Build._add, []
def dying(self, made, payloads):
    seen.append(1)
    if len(seen) > {row}:
        payloads.write(b"half a row"); payloads.flush()
        os._exit(137)
    add(self, made, payloads)
build.Build._add = dying
index = pickle.load(open(sys.argv[1], "rb"))
pack.open_pack(index, ImageConfig(size=8), Path(sys.argv[2]))
"""
    saved = cache.parent / "index.pickle"
    saved.write_bytes(pickle.dumps(index))
    words = [sys.executable, "-c", code, str(saved), str(cache)]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 137


@pytest.mark.parametrize(("row", "kept"), [(1, 0), (8, 6), (39, 39)])
def test_a_build_that_was_killed_goes_on_from_its_last_good_row(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int, kept: int
) -> None:
    killed_at(index, tmp_path / "cache", row)
    decoded = count_decoded(monkeypatch)
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))
    assert len(decoded) == 40 - kept
    names = sorted(path.name for path in pack.folder.iterdir())
    assert names == ["images.npy", "manifest.json", "rows.txt"]


def interrupted(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build of 30 rows, all committed, that another process (dead now) left behind."""
    index.paths[30].rename(index.paths[30].with_suffix(".away"))
    with pytest.raises(DataError, match="1 of 40 images cannot be read"):
        open_pack(index, SMALL, cache)
    index.paths[30].with_suffix(".away").rename(index.paths[30])
    return only_build(cache)


@pytest.mark.parametrize("place", [0, 100, 128, 128 + 192 * 7 + 5, 128 + 192 * 30 - 1])
def test_a_flipped_byte_in_a_build_is_never_packed(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    part = interrupted(index, tmp_path / "cache", monkeypatch)
    content = bytearray((part / "rows").read_bytes())
    assert len(content) == 128 + 192 * 30
    content[place] ^= 4
    (part / "rows").write_bytes(content)
    decoded = count_decoded(monkeypatch)
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))
    assert len(decoded) == 40 - max(0, (place - 128) // 192)


@pytest.mark.parametrize("share", [0, 1, 17, 32, 63])
@pytest.mark.parametrize("name", ["rows", "journal"])
def test_a_cut_build_is_gone_on_with(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, share: int
) -> None:
    part = interrupted(index, tmp_path / "cache", monkeypatch)
    content = (part / name).read_bytes()
    (part / name).write_bytes(content[: len(content) * share // 64])
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))


def test_a_build_of_a_file_that_changed_is_gone_on_with_before_it(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(index, tmp_path / "cache", monkeypatch)
    shutil.copy(index.paths[5], index.paths[20])
    decoded = count_decoded(monkeypatch)
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))
    assert len(decoded) == 20


def test_a_kill_before_the_manifest_costs_no_decoding(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(path: Path, value: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module.files, "write_json", die)
        open_pack(index, SMALL, tmp_path / "cache")
    decoded = count_decoded(monkeypatch)
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))
    assert decoded == []


def test_a_row_comes_back_from_its_line_of_the_journal() -> None:
    row = Row("0f" * 16, 576, 12345678901234567890, (99, 1700000000123456789, 5, 6))
    assert row.line() == (
        "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f 576 12345678901234567890 99 1700000000123456789 5 6\n"
    )
    assert Row.parse(row.line()) == row


WHOLE = Row("0f" * 16, 576, 1, (99, 5, 6, 17)).line()


@pytest.mark.parametrize("line", [WHOLE[:-1], WHOLE[:-2], WHOLE[:20], WHOLE[1:], "\n"])
def test_a_line_that_was_cut_is_no_row(line: str) -> None:
    """Also where only the line end is missing: the last number may have lost digits."""
    with pytest.raises(ValueError, match=r"0f 576 1 99 5 6 17?|not enough values"):
        Row.parse(line)


def test_rows_of_files_have_the_digest_of_the_content_that_they_are_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    origin = of_files((Source.of(path),), lambda contents, row: contents[0].upper())
    assert origin.make(0) == (short_digest(b"abc"), b"ABC")
    assert origin.digest(0) == short_digest(b"abc")
    assert origin.stat(0) == UNKNOWN  # it may change again in the same tick of the clock
    long_ago(monkeypatch)
    os.utime(path, ns=(0, 77))
    assert origin.stat(0)[:2] == (3, 77)


def test_a_payload_that_cannot_be_made_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")

    def refuse(contents: list[bytes], row: int) -> bytes:
        raise DataError("not an image")

    with pytest.raises(DataError, match=r"a\.bin: not an image$"):
        of_files((Source.of(tmp_path / "a.bin"),), refuse).make(0)
