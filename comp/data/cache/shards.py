"""A pack that many tasks make: each packs a shard of the rows, and the shards are joined.

A shard is an ordinary pack of some rows. Joined, they are a build of the whole pack that only waits
to be finished (`comp.data.cache.build`): each row is compared with its sum there, and what a shard
lacks is made. So the joined pack has the bytes of one that was made here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from comp.config.schema import ImageConfig
from comp.core import files, locks
from comp.core.errors import PackError
from comp.core.scratch import scratch_path
from comp.data.cache.build import LOCK, Row
from comp.data.cache.contents import CONTENTS, Content
from comp.data.cache.manifest import MANIFEST, read_rows
from comp.data.cache.pack import Pack, is_whole, kind_of, open_pack
from comp.data.index.index import Index

_BLOCK = 8 << 20  # bytes copied at a time


def shard_rows(count: int, shard: int, shards: int) -> range:
    """The rows of one of so many shards of `count` rows; of few rows some shards have none."""
    return range(shard * count // shards, (shard + 1) * count // shards)


def make_shard(index: Index, image: ImageConfig, cache: Path, shard: int, shards: int) -> None:
    """Pack one of so many shards of the images, unless all are packed. Raises what `open_pack`
    raises."""
    index = index.images
    rows = shard_rows(len(index), shard, shards)
    if len(rows) and not is_whole(index, image, cache):
        open_pack(index.part(rows), image, cache, masks=False)


def join_shards(index: Index, image: ImageConfig, cache: Path, shards: int) -> Pack:
    """The pack of all images, from shards where they are there; the shards are removed."""
    images = index.images
    if shards < 2 or kind_of(image) == "none":
        return open_pack(index, image, cache, masks=False)
    parts = [images.part(shard_rows(len(images), shard, shards)) for shard in range(shards)]
    parts = [part for part in parts if len(part)]
    contents = [_content(part, image) for part in parts]
    whole = _content(images, image)
    if not is_whole(images, image, cache):
        folder = cache / whole.folder
        with locks.writing(folder, name=LOCK, wait=True, keep=False):
            _lay(folder, whole, _payloads(parts, contents, image, cache))
    made = open_pack(index, image, cache, masks=False)
    for content in contents:
        if content.folder != whole.folder:
            shutil.rmtree(cache / content.folder, ignore_errors=True)
    return made


def _content(index: Index, image: ImageConfig) -> Content:
    return CONTENTS[kind_of(image)](index, image)


def _payloads(
    parts: list[Index], contents: list[Content], image: ImageConfig, cache: Path
) -> Iterator[tuple[Path, int, list[Row]]]:
    """Of each shard, as far as they are there one after the other: its file, where the payload
    begins, and its rows with the states of their files."""
    for part, content in zip(parts, contents, strict=True):
        stats = [content.origin.stat(row) for row in range(len(part))]
        if not is_whole(part, image, cache):  # of what the files held after `stats`
            return
        folder = cache / content.folder
        rows = read_rows(folder, files.read_json(folder / MANIFEST, PackError), len(part))
        known = [Row(r.digest, r.end, r.total, s) for r, s in zip(rows, stats, strict=True)]
        yield folder / content.file, len(content.header), known


def _lay(folder: Path, whole: Content, payloads: Iterator[tuple[Path, int, list[Row]]]) -> None:
    """Lay a build in the folder that holds what the shards hold."""
    beside = scratch_path(folder / "build", "part")
    beside.mkdir()
    with (beside / "rows").open("wb") as out, (beside / "journal").open("w") as journal:
        out.write(whole.header)
        end = 0
        for path, header, rows in payloads:
            with path.open("rb") as shard:
                shard.seek(header)
                shutil.copyfileobj(shard, out, _BLOCK)
            moved = [Row(row.digest, row.end + end, row.total, row.stat) for row in rows]
            journal.writelines(row.line() for row in moved)
            end = moved[-1].end
