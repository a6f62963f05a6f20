"""Masks at the size of their packed images, in one file: see `comp.data.cache.pack`.

    cache/<place>/masks.npy       (N, size, size, L) uint8
    cache/<place>/rows.txt, manifest.json

The key follows from ids, settings and the digests of the masks, so that no mask is made to find out
whether the pack is whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import checksums, files, progress
from comp.core.errors import DataError, PackError
from comp.data.cache.build import Build, Origin
from comp.data.cache.pack import FORMAT, describe, npy_header, read_rows, rows_text
from comp.data.images.decode import fit_mask
from comp.data.index.index import Index
from comp.data.index.masks import Masks

Pixels = np.ndarray[Any, Any]


def open_masks(index: Index, image: ImageConfig, cache: Path) -> Pixels:
    """(N, size, size, L) uint8, a memory map: the masks of the index as its images are packed.

    Made first where they are not there, or of other masks. Raises DataError with every mask that
    cannot be read, CompError when the cache cannot be written or the disk is too full.
    """
    truth = index.masks
    if truth is None:
        raise DataError("these images have no masks")
    settings = f"{FORMAT} masks {image.size} {image.resize} {truth.layers}"
    digests = [truth.digest(row) for row in range(len(index))]
    pairs = [f"{name}\x1f{digest}" for name, digest in zip(index.ids, digests, strict=True)]
    key = checksums.digest_lines([settings, *pairs])
    folder = Path(cache) / f"masks-{checksums.digest_lines([settings, *index.ids])[:16]}"
    shape = (len(index), image.size, image.size, truth.layers)
    try:
        return _open(folder, index, shape, key)
    except PackError as problem:
        if (folder / "manifest.json").is_file():
            progress.say(f"{problem}; packing anew")
    _build(folder, index, truth, image, shape, key, digests)
    return _open(folder, index, shape, key)


def _open(folder: Path, index: Index, shape: tuple[int, ...], key: str) -> Pixels:
    manifest = files.read_json(folder / "manifest.json", PackError)
    path = folder / "masks.npy"
    if manifest.get("key") != key:
        raise PackError(f"{folder}: of other masks")
    rows = read_rows(folder, manifest, len(index))
    try:
        masks: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        expected = describe(key, index.ids, path, rows)
    except (OSError, ValueError, EOFError) as problem:
        raise PackError(f"{path}: cannot be mapped ({problem})") from problem
    wrong = [name for name in expected if manifest.get(name) != expected[name]]
    if wrong or masks.shape != shape or masks.dtype != np.uint8:
        raise PackError(f"{path}: not as it was written")
    return masks


def _build(
    folder: Path,
    index: Index,
    truth: Masks,
    image: ImageConfig,
    shape: tuple[int, ...],
    key: str,
    digests: list[str],
) -> None:
    def make(row: int) -> tuple[str, Pixels]:
        return digests[row], fit_mask(truth.read(row), image.size, image.resize)

    origin = Origin(lambda row: (int(digests[row][:12], 16), 0), lambda row: digests[row], make)
    final = folder / "masks.npy"
    build = Build(final, index.ids, origin, npy_header(shape), int(np.prod(shape)), "masks")
    made, rows = build.run()
    text = rows_text(rows)
    files.write_text(folder / "rows.txt", text)
    about = describe(key, index.ids, made, rows)
    made.replace(final)
    files.write_json(folder / "manifest.json", {**about, "rows": checksums.digest_text(text)})
    shutil.rmtree(made.parent)
