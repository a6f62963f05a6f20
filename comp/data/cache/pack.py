"""All images, and their masks, at their final size: decoded once and mapped into memory.

    cache/<folder>/images.npy     (N, size, size, 3) uint8; or images.bin, the files' own bytes
    cache/masks-<key>/masks.npy   (N, size, size, L) uint8
    .../rows.txt, stats.txt, manifest.json: see `comp.data.cache.manifest`

The folder follows from the ids, the names of the files and the image settings; the key from the
ids, the settings and the content of the files. Where size and time of a file are unchanged, its
content is not read again; where they are not (data downloaded again), its digest decides.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files, progress
from comp.core.errors import DataError, PackError, first, pick
from comp.core.parallel import cores, read_ahead
from comp.data.cache.build import Build, Row
from comp.data.cache.contents import CONTENTS, Content
from comp.data.cache.manifest import (
    MANIFEST,
    describe,
    read_rows,
    refuse_damage,
    write_stats,
    write_tables,
)
from comp.data.cache.mask_store import MaskStore, UnpackedMasks
from comp.data.cache.store import Decoded, Files, Images
from comp.data.images.resize import OWN_SIZE, RESIZES
from comp.data.index.index import Index

Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pack:
    """The images and masks of `ids` (N,), read-only, in their order.

    `images`       (N, size, size, 3) uint8, an np.memmap, or an object used like one (see
                   `comp.data.cache.store`)
    `masks`        (size, size, L) uint8 for each row, or at the size of its image; None where the
                   images have none
    `key`          of what the images were made from; "" where they are not packed
    `folder`, `mask_folder`  where they lie; None where they are not packed
    """

    ids: tuple[str, ...]
    images: Images
    masks: MaskStore | None
    key: str
    folder: Path | None
    mask_folder: Path | None = None


def open_pack(
    index: Index, image: ImageConfig, cache: Path, *, masks: bool = True, verify: bool = False
) -> Pack:
    """The images and masks of the index at `image.size`, from `cache`; packed first if necessary.

    With `image.pack` "none" the images are not packed: each is decoded whenever it is read. Images
    that keep their own size are packed as encoded files, and their masks are made each time.
    A torn pack, or one of other images, is made again; a build that was killed is continued.

    masks: False leaves the masks out; prediction needs none. verify: compare every row with its
    sum too. Raises DataError with every image or mask that cannot be read, ConfigError for an
    unknown `image.resize`, CompError when the cache cannot be written or the disk is too full.
    """
    pick(RESIZES, image.resize, "way to resize (image.resize)")
    own_size = image.resize in OWN_SIZE
    if own_size and image.pack == "memmap":
        image = image.model_copy(update={"pack": "encoded"})  # rows of a map are of one size
    if not len(index):
        raise DataError("there are no images to pack; check data.train_images and data.test_images")
    folder = mask_folder = None
    key, images = "", Decoded(Files(index.paths), index.ids, image)
    if image.pack != "none":
        folder, key, images = _open_or_build(image.pack, index, image, cache, verify)
    found: MaskStore | None = None
    if masks and index.masks is not None:
        found = UnpackedMasks(index.masks)
        if not own_size:
            mask_folder, _, found = _open_or_build("masks", index, image, cache, verify)
    return Pack(index.ids, images, found, key, folder, mask_folder)


def _open_or_build(
    kind: str, index: Index, image: ImageConfig, cache: Path, verify: bool
) -> tuple[Path, str, Any]:
    """Folder, key and opened content of one entry of CONTENTS."""
    content = CONTENTS[kind](index, image)
    folder = Path(cache) / content.folder
    try:
        return folder, *_open(folder, index, content, verify)
    except PackError as problem:
        if (folder / MANIFEST).is_file():
            progress.say(f"{problem}; packing again")
    _build(folder, index, content)
    return folder, *_open(folder, index, content, False)


def _open(folder: Path, index: Index, content: Content, verify: bool) -> tuple[str, Any]:
    """Key and opened content of a pack; PackError when it is damaged or of other images."""
    manifest = files.read_json(folder / MANIFEST, PackError)
    path = folder / content.file
    rows = read_rows(folder, manifest, len(index))
    try:
        opened = content.open(path, rows)
        expected = describe(content.key(index.ids, rows), index.ids, path, rows)
    except (OSError, ValueError, EOFError) as problem:
        raise PackError(f"{path}: cannot be mapped ({problem})") from problem
    wrong = [name for name in expected if manifest.get(name) != expected[name]]
    if wrong:
        raise PackError(
            f"{folder}: not the pack of these {content.name} ({', '.join(wrong)} differ)"
        )
    _refuse_changes(folder, index, content, rows)
    if verify:
        refuse_damage(path, index.ids, rows)
    return expected["key"], opened


def _refuse_changes(folder: Path, index: Index, content: Content, rows: Sequence[Row]) -> None:
    """Do nothing when the rows were made from what is there now; where only times of change
    differ, the new ones are noted. PackError names the rows whose content differs."""
    origin = content.origin
    stats = [origin.stat(place) for place in range(len(rows))]
    doubtful = [place for place, row in enumerate(rows) if row.stat != stats[place]]
    if not doubtful:
        return
    digests = read_ahead(origin.digest, doubtful, cores())
    changed = [
        index.ids[place]
        for place, digest in zip(doubtful, digests, strict=True)
        if digest != rows[place].digest
    ]
    if changed:
        raise PackError(f"{folder}: {len(changed)} {content.name} have changed: {first(changed)}")
    if content.keeps_stats:
        write_stats(folder, stats)


def _build(folder: Path, index: Index, content: Content) -> None:
    """Write the pack: the rows, the tables about them, then the manifest. (An old manifest fits
    the old table of rows only.)

    Two processes that build the same pack each write files of their own and the same content.
    """
    final = folder / content.file
    build = Build(final, index.ids, content.origin, content.header, content.needed, content.name)
    made, rows = build.run()
    digest = write_tables(folder, rows, stats=content.keeps_stats)
    about = describe(content.key(index.ids, rows), index.ids, made, rows)
    made.replace(final)
    files.write_json(folder / MANIFEST, {**about, "rows": digest})
    shutil.rmtree(made.parent)
