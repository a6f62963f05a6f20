from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import comp.data.cache.pack as module
from comp.config.schema import ImageConfig
from comp.core.errors import CompError, ConfigError, DataError
from comp.core.parallel import read_ahead
from comp.data.cache import build, contents
from comp.data.cache.contents import CONTENTS
from comp.data.cache.pack import open_pack
from comp.data.cache.store import gather
from comp.data.images.decode import read_image
from comp.data.images.resize import fit
from comp.data.index.index import Index
from comp.stages.experiment import sweep_cache

SMALL = ImageConfig(size=8)
PART = f".build.{os.getpid()}.part"


def make_index(folder: Path, count: int = 40) -> Index:
    folder.mkdir(parents=True, exist_ok=True)
    ids = tuple(f"결함_{number:03d}" for number in range(count))
    paths = tuple(folder / f"{name}.png" for name in ids)
    draw = np.random.default_rng(0)
    for path in paths:
        image = draw.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return Index(ids, paths, ("a", "b"))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_index(tmp_path / "images")


def expected(index: Index, image: ImageConfig = SMALL) -> np.ndarray:
    return np.stack([fit(read_image(path), image.size, image.resize) for path in index.paths])


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "decode_image", lambda content: pytest.fail("decoded"))


def only_folder(cache: Path) -> Path:
    (folder,) = cache.iterdir()
    return folder


def test_a_pack_holds_every_image_in_the_order_of_the_ids(index: Index, tmp_path: Path) -> None:
    pack = open_pack(index, SMALL, tmp_path / "cache")
    assert pack.ids == index.ids
    assert isinstance(pack.images, np.memmap)
    assert pack.images.dtype == np.uint8
    assert not pack.images.flags.writeable
    np.testing.assert_array_equal(pack.images, expected(index))
    names = sorted(path.name for path in only_folder(tmp_path / "cache").iterdir())
    assert names == ["images.npy", "manifest.json", "rows.txt", "stats.txt"]
    assert only_folder(tmp_path / "cache") == pack.folder


def test_a_whole_pack_is_opened_without_decoding(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pack(index, SMALL, tmp_path)
    refuse_to_decode(monkeypatch)
    again = open_pack(index, SMALL, tmp_path)
    assert again.key == first.key
    np.testing.assert_array_equal(again.images, first.images)


def test_moved_data_keep_their_pack(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_pack(index, SMALL, tmp_path / "cache")
    refuse_to_decode(monkeypatch)
    (tmp_path / "images").rename(tmp_path / "away")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "away").rename(tmp_path / "elsewhere/images")
    paths = tuple(tmp_path / "elsewhere/images" / path.name for path in index.paths)
    open_pack(Index(index.ids, paths, index.classes), SMALL, tmp_path / "cache")


@pytest.mark.parametrize(
    "image", [ImageConfig(size=9), ImageConfig(size=8, resize="crop")], ids=["size", "resize"]
)
def test_other_settings_are_another_pack(index: Index, tmp_path: Path, image: ImageConfig) -> None:
    first = open_pack(index, SMALL, tmp_path)
    second = open_pack(index, image, tmp_path)
    assert first.key != second.key
    np.testing.assert_array_equal(second.images, expected(index, image))
    np.testing.assert_array_equal(first.images, expected(index))


def test_a_replaced_image_is_another_pack(index: Index, tmp_path: Path) -> None:
    first = open_pack(index, SMALL, tmp_path / "cache")
    state = index.paths[3].stat()
    shutil.copy(index.paths[4], index.paths[3])
    os.utime(index.paths[3], ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    second = open_pack(index, SMALL, tmp_path / "cache")
    assert first.key != second.key
    np.testing.assert_array_equal(second.images[3], second.images[4])


def test_other_ids_of_the_same_files_are_another_pack(index: Index, tmp_path: Path) -> None:
    renamed = Index(tuple(f"x{name}" for name in index.ids), index.paths, index.classes)
    first, second = (open_pack(each, SMALL, tmp_path) for each in (index, renamed))
    assert first.key != second.key


def cut(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def lose_the_end(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-192] + bytes(192))


def lose_the_images(folder: Path) -> None:
    (folder / "images.npy").unlink()


def lose_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def tear_the_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:40])


def forge(name: str) -> object:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: "another"}))

    change.__name__ = f"other_{name}"
    return change


def lose(name: str) -> object:
    def change(folder: Path) -> None:
        (folder / name).unlink()

    change.__name__ = f"lose_{name}"
    return change


def flip(name: str) -> object:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    change.__name__ = f"flip_{name}"
    return change


def put_objects(folder: Path) -> None:
    np.save(folder / "images.npy", np.array([{}], dtype=object), allow_pickle=True)


def put_another_shape(folder: Path) -> None:
    np.save(folder / "images.npy", np.zeros((3, 8, 8, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lose_the_end,
        lose_the_images,
        lose_the_manifest,
        tear_the_manifest,
        forge("key"),
        forge("ids"),
        forge("bytes"),
        forge("sample"),
        forge("rows"),
        lose("rows.txt"),
        flip("rows.txt"),
        put_objects,
        put_another_shape,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_torn_or_foreign_pack_is_made_again(
    index: Index, tmp_path: Path, damage: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_pack(index, SMALL, tmp_path / "cache")
    damage(only_folder(tmp_path / "cache"))
    pack = open_pack(index, SMALL, tmp_path / "cache")
    np.testing.assert_array_equal(pack.images, expected(index))
    refuse_to_decode(monkeypatch)
    open_pack(index, SMALL, tmp_path / "cache")


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
    assert "No such file" in lines[1]
    assert "결함_017.png: an empty file" in lines[2]
    assert "결함_039.png: a web page" in lines[3]
    assert len(lines) == 4
    assert [path.name for path in only_folder(tmp_path / "cache").iterdir()] == [PART]


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
        "stats.txt",
    ]


def test_what_a_kill_after_the_manifest_left_is_removed_and_a_build_is_not(
    index: Index, tmp_path: Path
) -> None:
    """Found by the loop over all faults: a build that nobody asks for again stayed for ever."""
    open_pack(index, SMALL, tmp_path)
    folder = tmp_path / CONTENTS["memmap"](index, SMALL).folder
    for pid, name in ((999999998, "journal"), (999999999, "rows")):
        (folder / f".build.{pid}.part").mkdir()
        (folder / f".build.{pid}.part" / name).write_bytes(b"")
    sweep_cache(tmp_path)
    assert [path.name for path in folder.glob(".build*")] == [".build.999999999.part"]


def _open_elsewhere(index: Index, cache: Path) -> str:
    pack = open_pack(index, SMALL, cache)
    return pack.images.tobytes().hex()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_two_processes_may_build_the_same_pack_at_once(tmp_path: Path) -> None:
    index = make_index(tmp_path / "images", count=150)
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(_open_elsewhere, index, tmp_path / "cache") for _ in range(4)]
        found = {job.result() for job in jobs}
    assert found == {expected(index).tobytes().hex()}
    names = sorted(path.name for path in only_folder(tmp_path / "cache").iterdir())
    assert names == ["images.npy", "manifest.json", "rows.txt", "stats.txt"]


def test_packing_leaves_the_threads_of_opencv_as_they_were(index: Index, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        open_pack(index, SMALL, tmp_path)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_work_ahead_is_bounded() -> None:
    begun = []
    ahead = read_ahead(lambda item: item, (begun.append(n) or n for n in range(100)), 2)
    assert next(ahead) == 0
    assert len(begun) <= 5
    assert list(ahead) == list(range(1, 100))


def test_no_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images to pack; check data\.train_images"):
        open_pack(Index((), (), ("a", "b")), SMALL, tmp_path)


def test_an_unknown_resize_is_found_before_packing(index: Index, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"image\.resize.*'padd'.*Did you mean 'pad'"):
        open_pack(index, ImageConfig(size=8, resize="padd"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


# F11: killed while it was built; data that were downloaded anew; damage


def killed_at(index: Index, cache: Path, row: int) -> None:
    """A child that dies, as by kill -9, when it is to take in row `row`; it commits each 3 rows."""
    code = f"""
import os, pickle, sys
from pathlib import Path
from comp.config.schema import ImageConfig
from comp.data.cache import build, pack
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


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    plain = contents.decode_image
    monkeypatch.setattr(contents, "decode_image", lambda c: seen.append(len(c)) or plain(c))
    return seen


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
    assert names == ["images.npy", "manifest.json", "rows.txt", "stats.txt"]


def interrupted(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build of 30 rows, all committed, that another process (dead now) left behind."""
    index.paths[30].rename(index.paths[30].with_suffix(".away"))
    with pytest.raises(DataError, match="1 of 40 images cannot be read"):
        open_pack(index, SMALL, cache)
    index.paths[30].with_suffix(".away").rename(index.paths[30])
    part = only_folder(cache) / ".build.999999999.part"
    return (only_folder(cache) / PART).rename(part)


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


def test_data_downloaded_anew_keep_their_pack(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pack(index, SMALL, tmp_path / "cache")
    for path in index.paths:
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(0, 77))
    refuse_to_decode(monkeypatch)
    read: list[Path] = []
    plain = build.short_file_digest
    monkeypatch.setattr(build, "short_file_digest", lambda path: read.append(path) or plain(path))
    assert open_pack(index, SMALL, tmp_path / "cache").key == first.key
    assert len(read) == 40
    open_pack(index, SMALL, tmp_path / "cache")
    assert len(read) == 40  # the new times were noted


def test_a_replaced_image_is_named(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_pack(index, SMALL, tmp_path / "cache")
    shutil.copy(index.paths[4], index.paths[3])
    open_pack(index, SMALL, tmp_path / "cache")
    assert "1 images have changed: '결함_003'; packing anew" in capsys.readouterr().err


def test_verifying_finds_a_flipped_byte_in_any_row(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = open_pack(index, SMALL, tmp_path / "cache")
    path = pack.folder / "images.npy"
    content = bytearray(path.read_bytes())
    content[128 + 192 * 13 + 50] ^= 1
    path.write_bytes(content)
    open_pack(index, SMALL, tmp_path / "cache", verify=True)
    assert "1 rows are damaged: '결함_013'; packing anew" in capsys.readouterr().err
    again = open_pack(index, SMALL, tmp_path / "cache", verify=True)
    np.testing.assert_array_equal(again.images, expected(index))


# other ways to keep images


@pytest.mark.parametrize("pack", ["encoded", "none"])
def test_other_packs_give_the_same_images(index: Index, tmp_path: Path, pack: str) -> None:
    image = ImageConfig(size=8, pack=pack)
    for _ in range(2):
        made = open_pack(index, image, tmp_path / "cache")
        rows = np.array([3, 0, 39, 3])
        there = pickle.loads(pickle.dumps(made.images))
        for images in (made.images, there):
            assert (images.shape, len(images), images.dtype) == ((40, 8, 8, 3), 40, np.uint8)
            np.testing.assert_array_equal(gather(images, rows), expected(index)[rows])
    sizes = [path.stat().st_size for path in index.paths]
    if pack == "encoded":
        assert (made.folder / "images.bin").stat().st_size == sum(sizes)
    else:
        assert not (tmp_path / "cache").exists()


def test_an_unreadable_image_without_a_pack_is_named_when_it_is_wanted(
    index: Index, tmp_path: Path
) -> None:
    made = open_pack(index, ImageConfig(size=8, pack="none"), tmp_path / "cache")
    index.paths[2].write_bytes(b"")
    with pytest.raises(DataError, match=r"'결함_002': .*an empty file"):
        gather(made.images, np.array([1, 2]))
