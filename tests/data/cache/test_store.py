"""Images from a memory map or decoded when read: used alike, pickled small, named when broken."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import save

from comp.config.schema import ImageConfig
from comp.core.checksums import row_sum
from comp.core.errors import DataError, PackError
from comp.data.cache.guard import Guard
from comp.data.cache.store import (
    Decoded,
    Encoded,
    Files,
    Guarded,
    from_state,
    gather,
    plain,
    to_state,
)
from comp.data.index.sources import Source

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
ROWS = np.array([4, 0, 4])


@pytest.fixture
def mapped(tmp_path: Path) -> Any:
    np.save(tmp_path / "images.npy", IMAGES)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, ...]:
    """Three images of 8 x 8 pixels without loss."""
    return tuple(save(tmp_path / f"{row}.png", IMAGES[row]) for row in range(3))


def bundle(folder: Path, paths: tuple[Path, ...]) -> Encoded:
    """The image files one after the other in one file."""
    content = [path.read_bytes() for path in paths]
    (folder / "images.bin").write_bytes(b"".join(content))
    ends = np.cumsum([len(part) for part in content])
    totals = np.array([row_sum(part) for part in content], dtype=np.uint64)
    return Encoded(
        folder / "images.bin", Guard(folder / "images.bin", ("a", "b", "c"), ends, totals, "places")
    )


def guarded(folder: Path) -> Guarded:
    """The images in a file with their sums."""
    np.save(folder / "images.npy", IMAGES)
    totals = np.array([row_sum(image) for image in IMAGES], dtype=np.uint64)
    guard = Guard(folder / "images.npy", ("a", "b", "c", "d", "e"), totals, totals, "places")
    return Guarded(np.load(folder / "images.npy", mmap_mode="r"), guard)


def test_images_are_gathered_in_the_order_of_the_rows(mapped: Any) -> None:
    out = np.empty((3, 8, 8, 3), np.uint8)
    assert gather(mapped, ROWS, out) is out
    assert (out == IMAGES[[4, 0, 4]]).all()
    found = gather(mapped, ROWS)
    assert (found == out).all()
    assert type(found) is np.ndarray


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_beyond_the_images_are_refused_and_never_clipped(mapped: Any, row: int) -> None:
    with pytest.raises(IndexError, match="rows beyond the 5 images"):
        gather(mapped, np.array([0, row]), np.empty((2, 8, 8, 3), np.uint8))


def test_a_memory_map_is_pickled_by_its_place_and_mapped_again(mapped: Any) -> None:
    state = to_state(mapped)
    assert state == (mapped.filename.__fspath__(), (5, 8, 8, 3), 128, "|u1")
    again = from_state(pickle.loads(pickle.dumps(state)))
    assert isinstance(again, np.memmap)
    assert not again.flags.writeable
    assert (again == IMAGES).all()


def test_a_slice_of_a_memory_map_and_a_plain_array_are_pickled_whole(mapped: Any) -> None:
    """The offset of a slice is that of its base: mapping it again would give other images."""
    for images in (mapped[2:], IMAGES[2:]):
        state = to_state(images)
        assert state is images
        assert (from_state(pickle.loads(pickle.dumps(state))) == IMAGES[2:]).all()


def test_the_rows_of_a_plain_view_are_plain_arrays(mapped: Any) -> None:
    assert type(plain(mapped)[1]) is np.ndarray
    assert np.shares_memory(plain(mapped), mapped)
    decoded = Decoded(lambda row: IMAGES[row], ("a",), ImageConfig(size=8))
    assert plain(decoded) is decoded


@pytest.mark.parametrize("kind", ["files", "encoded"])
def test_decoded_images_are_used_like_an_array(
    tmp_path: Path, paths: tuple[Path, ...], kind: str
) -> None:
    read = Files(tuple(map(Source.of, paths))) if kind == "files" else bundle(tmp_path, paths)
    images = Decoded(read, ("a", "b", "c"), ImageConfig(size=8))
    for one in (images, pickle.loads(pickle.dumps(images))):
        assert (one.shape, one.dtype, len(one), one.own_size) == ((3, 8, 8, 3), np.uint8, 3, False)
        assert [one[row].tolist() for row in range(3)] == IMAGES[:3].tolist()
        out = np.empty((3, 8, 8, 3), np.uint8)
        assert gather(one, np.array([2, 0, 2]), out) is out
        assert (out == IMAGES[[2, 0, 2]]).all()


def test_a_decoded_image_is_resized_as_the_config_says(tmp_path: Path) -> None:
    wide = np.broadcast_to(np.arange(16, dtype=np.uint8)[None, :, None], (8, 16, 3))
    path = save(tmp_path / "a.png", wide)
    cropped = Decoded(Files((Source.of(path),)), ("a",), ImageConfig(size=8, resize="crop"))
    assert not cropped.own_size
    assert cropped[0][..., 0].tolist() == [list(range(4, 12))] * 8
    own = Decoded(Files((Source.of(path),)), ("a",), ImageConfig(size=8, resize="none"))
    assert own.own_size
    assert (own[0] == wide).all()


@pytest.mark.parametrize("kind", ["files", "encoded"])
def test_an_image_that_cannot_be_read_is_named_by_its_id(
    tmp_path: Path, paths: tuple[Path, ...], kind: str
) -> None:
    paths[1].write_bytes(b"GIF89a")
    read = Files(tuple(map(Source.of, paths))) if kind == "files" else bundle(tmp_path, paths)
    images = Decoded(read, ("a", "b", "c"), ImageConfig(size=8))
    assert (images[2] == IMAGES[2]).all()
    with pytest.raises(DataError, match=r"^'b': .*"):
        images[1]
    with pytest.raises(DataError, match=r"^'b': .*"):
        images.take(np.array([0, 1, 2]))


def test_a_pickle_of_encoded_images_does_not_hold_their_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images = bundle(tmp_path, (save(tmp_path / "a.png", noise),))
    assert len(images.content) > 10_000
    content = pickle.dumps(images)
    assert len(content) < 1000
    assert (pickle.loads(content)(0) == noise).all()


def test_guarded_images_are_used_like_an_array(tmp_path: Path) -> None:
    images = guarded(tmp_path)
    for one in (images, pickle.loads(pickle.dumps(images))):
        assert (one.shape, one.dtype, len(one), one.ndim) == ((5, 8, 8, 3), np.uint8, 5, 4)
        assert plain(one) is one
        assert (one[3] == IMAGES[3]).all()
        assert (one[-1] == IMAGES[4]).all()
        assert (one[np.int64(0)] == IMAGES[0]).all()
        assert (one[1:3] == IMAGES[1:3]).all()
        assert (one[[0, 4]] == IMAGES[[0, 4]]).all()
        assert (one[2, :4] == IMAGES[2, :4]).all()
        assert (one.take(ROWS) == IMAGES[ROWS]).all()
        assert (np.asarray(one) == IMAGES).all()
        out = np.empty((3, 8, 8, 3), np.uint8)
        assert gather(one, ROWS, out) is out
        assert (out == IMAGES[ROWS]).all()
        assert type(one[0]) is np.ndarray
    with pytest.raises(IndexError):
        gather(images, np.array([0, -1]), np.empty((2, 8, 8, 3), np.uint8))
    assert len(pickle.dumps(images)) < 1000


READS = {
    "row": lambda images: images[2],
    "last": lambda images: images[-3],
    "slice": lambda images: images[1:4],
    "rows": lambda images: images[[4, 2]],
    "part": lambda images: images[2, :1],
    "take": lambda images: images.take(np.array([2])),
    "all": lambda images: np.asarray(images),
    "gather": lambda images: gather(images, np.array([0, 2])),
    "gather into": lambda images: gather(images, np.array([2]), np.empty((1, 8, 8, 3), np.uint8)),
    "pickled": lambda images: pickle.loads(pickle.dumps(images))[2],
}


@pytest.mark.parametrize("way", READS)
def test_a_damaged_row_is_found_in_whatever_way_it_is_read(tmp_path: Path, way: str) -> None:
    images = guarded(tmp_path)
    content = bytearray((tmp_path / "images.npy").read_bytes())
    first = 128 + 2 * 192
    content[first : first + 96], content[first + 96 : first + 192] = (
        content[first + 96 : first + 192],
        content[first : first + 96],
    )  # halves exchanged: the same words
    (tmp_path / "images.npy").write_bytes(content)
    assert (images[1] == IMAGES[1]).all()
    for _ in range(2):
        with pytest.raises(PackError, match=r"images\.npy: the row of 'c' is damaged.*--verify"):
            READS[way](images)


def test_a_damaged_encoded_row_is_found_before_it_is_decoded(
    tmp_path: Path, paths: tuple[Path, ...]
) -> None:
    read = bundle(tmp_path, paths)
    content = bytearray((tmp_path / "images.bin").read_bytes())
    content[int(read.guard.ends[0]) + 70] ^= 1
    (tmp_path / "images.bin").write_bytes(content)
    assert (read(0) == IMAGES[0]).all()
    with pytest.raises(PackError, match="the row of 'b' is damaged"):
        Decoded(read, ("a", "b", "c"), ImageConfig(size=8))[1]
