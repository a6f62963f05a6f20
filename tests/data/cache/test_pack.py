"""A pack: made once, opened again, made again where it does not fit."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from pack_toys import SMALL, expected, long_ago, make_index, only_folder, refuse_to_decode

from comp.config.schema import ImageConfig
from comp.core import known_digests
from comp.core.checksums import word_sum
from comp.core.errors import ConfigError, DataError, PackError
from comp.data.cache import build
from comp.data.cache import manifest as manifest_module
from comp.data.cache.contents import CONTENTS
from comp.data.cache.guard import Guard
from comp.data.cache.manifest import guard_of, read_rows
from comp.data.cache.pack import open_pack
from comp.data.cache.store import gather
from comp.data.images.decode import read_image
from comp.data.index.index import Index


def test_a_pack_holds_every_image_in_the_order_of_the_ids(index: Index, tmp_path: Path) -> None:
    pack = open_pack(index, SMALL, tmp_path / "cache")
    assert pack.ids == index.ids
    assert isinstance(pack.images.array, np.memmap)
    assert pack.images.dtype == np.uint8
    assert not pack.images[0].flags.writeable
    np.testing.assert_array_equal(pack.images, expected(index))
    names = sorted(path.name for path in only_folder(tmp_path / "cache").iterdir())
    assert names == ["images.npy", "manifest.json", "rows.txt"]
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


def _open_elsewhere(index: Index, cache: Path) -> str:
    pack = open_pack(index, SMALL, cache)
    return np.asarray(pack.images).tobytes().hex()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_two_processes_may_build_the_same_pack_at_once(tmp_path: Path) -> None:
    index = make_index(tmp_path / "images", count=150)
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(_open_elsewhere, index, tmp_path / "cache") for _ in range(4)]
        found = {job.result() for job in jobs}
    assert found == {expected(index).tobytes().hex()}
    names = sorted(path.name for path in only_folder(tmp_path / "cache").iterdir())
    assert names == ["images.npy", "manifest.json", "rows.txt"]


def test_no_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images to pack; check data\.train_images"):
        open_pack(Index((), (), ("a", "b")), SMALL, tmp_path)


def test_an_unknown_resize_is_found_before_packing(index: Index, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"image\.resize.*'padd'.*Did you mean 'pad'"):
        open_pack(index, ImageConfig(size=8, resize="padd"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


# F11: killed while it was built; data that were downloaded again; damage


def test_data_downloaded_anew_keep_their_pack(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pack(index, SMALL, tmp_path / "cache")
    for path in index.paths:
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(0, 77))
    long_ago(monkeypatch)
    refuse_to_decode(monkeypatch)
    read: list[Path] = []
    plain = known_digests.short_file_digest
    monkeypatch.setattr(
        known_digests, "short_file_digest", lambda path: read.append(path) or plain(path)
    )
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
    assert "1 images have changed: '결함_003'; packing again" in capsys.readouterr().err


def test_verifying_finds_a_flipped_byte_in_any_row(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = open_pack(index, SMALL, tmp_path / "cache")
    path = pack.folder / "images.npy"
    content = bytearray(path.read_bytes())
    content[128 + 192 * 13 + 50] ^= 1
    path.write_bytes(content)
    open_pack(index, SMALL, tmp_path / "cache", verify=True)
    assert "1 rows are damaged: '결함_013'; packing again" in capsys.readouterr().err
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


def replace_unseen(path: Path, by: Path) -> None:
    """Another image in a file of the same size, with the time of before (F53)."""
    state, content = path.stat(), by.read_bytes()
    assert len(content) == state.st_size
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def make_bitmaps(index: Index) -> Index:
    """The same images as files of one size."""
    paths = tuple(path.with_suffix(".bmp") for path in index.paths)
    for path, old in zip(paths, index.paths, strict=True):
        path.write_bytes(cv2.imencode(".bmp", read_image(old)[..., ::-1])[1].tobytes())
    return Index(index.ids, paths, index.classes)


@pytest.mark.parametrize("aged", [False, True], ids=["fresh", "old"])
@pytest.mark.parametrize("pack", ["memmap", "encoded"])
def test_an_image_of_the_same_size_and_time_is_seen(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: str, aged: bool
) -> None:
    """F53. Fresh: the files changed within the last tick of the clock, before and after packing."""
    index, image = make_bitmaps(index), ImageConfig(size=8, pack=pack)
    if aged:
        long_ago(monkeypatch)
        time.sleep(0.02)
    first = open_pack(index, image, tmp_path / "cache")
    assert open_pack(index, image, tmp_path / "cache").key == first.key
    replace_unseen(index.paths[3], by=index.paths[4])
    second = open_pack(index, image, tmp_path / "cache")
    assert second.key != first.key
    np.testing.assert_array_equal(second.images[3], second.images[4])


# F52: bytes changed anywhere


@pytest.mark.parametrize("pack", ["memmap", "encoded"])
def test_bytes_changed_anywhere_are_found_before_the_row_is_used(
    index: Index, tmp_path: Path, pack: str
) -> None:
    image = ImageConfig(size=8, pack=pack)
    made = open_pack(index, image, tmp_path / "cache")
    path = made.folder / ("images.npy" if pack == "memmap" else "images.bin")
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    right = expected(index)
    found = 0
    for _ in range(60):
        start, length = int(draw.integers(128, len(whole) - 40)), int(draw.integers(1, 40))
        part = draw.permutation(bytearray(whole[start : start + length])).astype(np.uint8)
        if part.tobytes() == whole[start : start + length]:
            continue
        path.write_bytes(whole[:start] + part.tobytes() + whole[start + length :])
        opened = CONTENTS[pack](index, image).open(path, as_written(index, made.folder, path))
        for row in range(len(index)):
            try:
                assert (opened[row] == right[row]).all(), (start, length)
            except PackError:
                found += 1
    assert found >= 50
    path.write_bytes(whole)


def as_written(index: Index, folder: Path, path: Path) -> Guard:
    """The guard of a pack, as if none of the rows that opening looks at had been changed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return guard_of(path, index.ids, read_rows(folder, manifest, len(index)), "places")


def test_a_pack_of_an_earlier_version_is_read_and_its_rows_are_guarded(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "row_sum", word_sum)
    monkeypatch.setattr(manifest_module, "_SUM", "none")
    monkeypatch.setattr(manifest_module.describe, "__defaults__", ("words",))
    first = open_pack(index, SMALL, tmp_path / "cache")
    assert "sum" not in json.loads((first.folder / "manifest.json").read_text())
    (first.folder / "stats.txt").write_text("1 2\n" * 40)
    shutil.rmtree(tmp_path / "cache/digests")
    monkeypatch.undo()
    refuse_to_decode(monkeypatch)
    again = open_pack(index, SMALL, tmp_path / "cache")
    assert again.key == first.key
    path = first.folder / "images.npy"
    content = bytearray(path.read_bytes())
    content[128 + 192 * 13 + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(PackError, match="the row of '결함_013' is damaged"):
        open_pack(index, SMALL, tmp_path / "cache").images[13]
