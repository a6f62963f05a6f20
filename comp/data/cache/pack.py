"""All images, and their masks, at their final size: decoded once and mapped into memory.

    cache/<folder>/images.npy     (N, size, size, C); or images.bin, the files' own bytes
    cache/masks-<key>/masks.npy   (N, size, size, L) uint8
    .../rows.txt, manifest.json: see `comp.data.cache.manifest`

The folder follows from the ids, the names of the files and the image settings; the key from the
ids, the settings and the content of the files: the content decides (`comp.core.known_digests`).
One process builds a pack, others that want it wait. Each row is compared with its sum when it is
first read (`comp.data.cache.guard`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files, locks, progress
from comp.core.errors import DataError, PackError, first, pick
from comp.core.known_digests import note_digests
from comp.data.cache.bag_store import BagImages
from comp.data.cache.build import LOCK, Build, Row, sweep_moved
from comp.data.cache.contents import CONTENTS, Content
from comp.data.cache.manifest import (
    MANIFEST,
    describe,
    guard_of,
    read_rows,
    refuse_damage,
    sum_of,
    write_rows,
)
from comp.data.cache.mask_store import MaskStore, UnpackedMasks
from comp.data.cache.store import Decoded, Files, Images
from comp.data.images.deep import Outside
from comp.data.images.pixel_form import form_of
from comp.data.images.resize import OWN_SIZE, RESIZES
from comp.data.index.index import Index

Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pack:
    """The images and masks of `ids` (N,), read-only, in their order.

    `images`       (N, size, size, C) uint8 or uint16: an object that is used like an array (see
                   `comp.data.cache.store`); reading a damaged row raises PackError. Of bags see
                   `comp.data.cache.bag_store`
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
    if index.bags is not None:
        inner = open_pack(index.bags.images, image, cache, masks=False, verify=verify)
        bags = BagImages(inner.images, index.bags.rows)
        return replace(inner, ids=index.ids, images=bags)
    image = image.model_copy(update={"pack": kind_of(image)})
    own_size = image.resize in OWN_SIZE
    if not len(index):
        raise DataError("there are no images to pack; check data.train_images and data.test_images")
    folder = mask_folder = None
    key, images = (
        "",
        Decoded(Files(index.all_sources, form_of(image)), index.ids, image, index.boxes),
    )
    if image.pack != "none":
        folder, key, images = _open_or_build(image.pack, index, image, cache, verify)
    found: MaskStore | None = None
    if masks and index.masks is not None:
        found = UnpackedMasks(index.masks)
        if not own_size:
            mask_folder, _, found = _open_or_build("masks", index, image, cache, verify)
    return Pack(index.ids, images, found, key, folder, mask_folder)


def kind_of(image: ImageConfig) -> str:
    """How images are packed: an entry of CONTENTS, or `none`. Rows of a map are of one size, so
    images that keep their own are encoded. ConfigError for an unknown `image.resize`."""
    pick(RESIZES, image.resize, "way to resize (image.resize)")
    own_size = image.resize in OWN_SIZE and image.pack == "memmap"
    return "encoded" if own_size else image.pack


def is_whole(index: Index, image: ImageConfig, cache: Path) -> bool:
    """Whether nothing is to be packed: the pack is there, and of what the files hold now."""
    kind = kind_of(image)
    if kind == "none":
        return True
    content = CONTENTS[kind](index, image)
    try:
        _open(Path(cache) / content.folder, index, content, cache, False)
    except PackError:
        return False
    return True


def _open_or_build(
    kind: str, index: Index, image: ImageConfig, cache: Path, verify: bool
) -> tuple[Path, str, Any]:
    """Folder, key and opened content of one entry of CONTENTS."""
    content = CONTENTS[kind](index, image)
    folder = Path(cache) / content.folder
    try:
        opened = _open(folder, index, content, cache, verify)
        sweep_moved(folder)
        return folder, *opened
    except PackError as problem:
        damage = str(problem)
    with locks.writing(folder, name=LOCK, wait=True, keep=False) as hold:
        try:  # another process may have made it meanwhile
            return folder, *_open(folder, index, content, cache, verify)
        except PackError as problem:
            damage = str(problem)
        if (folder / MANIFEST).is_file():
            progress.say(f"{damage}; packing again")
        _build(folder, index, content, cache, hold)
        return folder, *_open(folder, index, content, cache, False)


def _open(
    folder: Path, index: Index, content: Content, cache: Path, verify: bool
) -> tuple[str, Any]:
    """Key and opened content of a pack; PackError when it is damaged or of other images."""
    manifest = files.read_json(folder / MANIFEST, PackError)
    path, how = folder / content.file, sum_of(manifest)
    rows = read_rows(folder, manifest, len(index))
    try:
        opened = content.open(path, guard_of(path, index.ids, rows, how))
        expected = describe(content.key(index.ids, rows), index.ids, path, rows, how)
    except (OSError, ValueError, EOFError) as problem:
        raise PackError(f"{path}: cannot be mapped ({problem})") from problem
    wrong = [name for name in expected if manifest.get(name) != expected[name]]
    if wrong:
        raise PackError(
            f"{folder}: not the pack of these {content.name} ({', '.join(wrong)} differ)"
        )
    _refuse_changes(folder, index, content, rows, cache)
    if verify:
        refuse_damage(path, index.ids, rows, how)
    return expected["key"], opened


def _refuse_changes(
    folder: Path, index: Index, content: Content, rows: Sequence[Row], cache: Path
) -> None:
    """Do nothing when the rows were made from what is there now. PackError names those of which
    the content differs."""
    now = index.digests(cache) if content.of_files else index.marks
    changed = [
        name for name, digest, row in zip(index.ids, now, rows, strict=True) if digest != row.digest
    ]
    if changed:
        raise PackError(f"{folder}: {len(changed)} {content.name} have changed: {first(changed)}")


def _build(folder: Path, index: Index, content: Content, cache: Path, hold: locks.Hold) -> None:
    """Write the pack: the rows, the table about them, then the manifest. (An old manifest fits the
    old table of rows only.)"""
    final = folder / content.file
    build = Build(
        final, index.ids, content.origin, content.header, content.needed, content.name, hold
    )
    made, rows = build.run()
    digest = write_rows(folder, rows)
    about = describe(content.key(index.ids, rows), index.ids, made, rows)
    made.replace(final)
    files.write_json(folder / MANIFEST, {**about, "rows": digest})
    _tell_outside(content.outside)
    if content.of_files and index.sources is None:
        note_digests(index.paths, [(row.stat, row.digest) for row in rows], cache)
    files.remove(folder / "stats.txt")  # of earlier versions
    shutil.rmtree(made.parent)


def _tell_outside(outside: Outside) -> None:
    """Say that images have values that their pixels cannot show."""
    if outside.images:
        progress.say(
            f"warning: {outside.images} images have values outside of image.range (down to "
            f"{outside.low:g}, up to {outside.high:g}): they became black or white. `comp check` "
            "says what all images hold"
        )
