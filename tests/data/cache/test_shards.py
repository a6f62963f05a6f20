"""Shards that are joined: the bytes of a pack that was made at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pack_toys import SMALL, make_index

from comp.config.schema import ImageConfig
from comp.core.errors import DataError
from comp.data.cache.pack import is_whole, open_pack
from comp.data.cache.shards import join_shards, make_shard, shard_rows
from comp.data.index.index import Index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """23 images whose files are old enough to be known by their state."""
    index = make_index(tmp_path / "images", count=23)
    for path in index.paths:
        os.utime(path, (1, 1))
    return index


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("pack", ["memmap", "encoded"])
def test_joined_shards_are_the_pack_of_one_process(
    index: Index, tmp_path: Path, pack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = SMALL.model_copy(update={"pack": pack})
    alone = open_pack(index, image, tmp_path / "alone")
    for shard in range(4):
        make_shard(index, image, tmp_path / "cache", shard, 4)
    assert len(list((tmp_path / "cache").glob("*/manifest.json"))) == 4
    made = join_shards(index, image, tmp_path / "cache", 4)
    assert "23 of 23 images are done" in capsys.readouterr().err
    assert alone.folder is not None
    assert made.folder is not None
    assert written(made.folder) == written(alone.folder)
    assert made.key == alone.key
    assert [path.parent for path in (tmp_path / "cache").glob("*/manifest.json")] == [made.folder]
    make_shard(index, image, tmp_path / "cache", 0, 4)  # all is packed: nothing to do
    assert [path.parent for path in (tmp_path / "cache").glob("*/manifest.json")] == [made.folder]


def test_a_shard_that_is_missing_or_old_is_made_when_they_are_joined(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for shard in (0, 1, 3):
        make_shard(index, SMALL, tmp_path / "cache", shard, 4)
    index.paths[7].write_bytes(index.paths[8].read_bytes())
    made = join_shards(index, SMALL, tmp_path / "cache", 4)
    assert "5 of 23 images are done" in capsys.readouterr().err
    alone = open_pack(index, SMALL, tmp_path / "alone")
    assert made.folder is not None
    assert alone.folder is not None
    assert written(made.folder) == written(alone.folder)


def test_shards_are_a_partition_and_few_rows_leave_some_empty(index: Index, tmp_path: Path) -> None:
    for count, shards in ((23, 4), (3, 16), (0, 2)):
        rows = [row for shard in range(shards) for row in shard_rows(count, shard, shards)]
        assert rows == list(range(count))
    few = index.part(range(3))
    for shard in range(16):
        make_shard(few, SMALL, tmp_path / "cache", shard, 16)
    join_shards(few, SMALL, tmp_path / "cache", 16)
    assert is_whole(few, SMALL, tmp_path / "cache")


def test_an_image_that_cannot_be_read_is_told_by_its_shard(index: Index, tmp_path: Path) -> None:
    index.paths[22].write_bytes(b"no image")
    make_shard(index, SMALL, tmp_path / "cache", 0, 2)
    with pytest.raises(DataError, match=f"1 of 12 images cannot be read:\n.*{index.ids[22]}"):
        make_shard(index, SMALL, tmp_path / "cache", 1, 2)


def test_images_that_are_not_packed_have_no_shards(index: Index, tmp_path: Path) -> None:
    image = ImageConfig(size=8, pack="none")
    make_shard(index, image, tmp_path / "cache", 0, 2)
    assert join_shards(index, image, tmp_path / "cache", 2).folder is None
