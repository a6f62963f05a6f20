"""All images at their final size in one file, decoded once and mapped into memory.

    cache/<key>/images.npy       (N, size, size, 3) uint8
    cache/<key>/manifest.json    written last: its existence means that the pack is whole

The key is a function of the ids, the image files (names, sizes, times of change) and the image
settings, so a pack of other data or another size lies in another folder.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from comp import files, progress
from comp.config import ImageConfig
from comp.data.images import RESIZES, fit, read_image
from comp.data.index import Index
from comp.errors import CheckError, CompError, DataError, PackError, complain, pick

T = TypeVar("T")
Pixels = np.ndarray[Any, Any]

FORMAT = 1  # of the pack and of what decoding and resizing give; a new number is a new key
_BLOCK_BYTES = 8 << 20  # decoded at a time by one thread
_SAMPLED_ROWS = 16
_MARGIN = 16 << 20  # bytes of disk left over for the manifest and for others


@dataclass(frozen=True)
class Pack:
    """`images`: (N, size, size, 3) uint8, read-only, in the order of `ids` (N,); `key`: of what."""

    ids: tuple[str, ...]
    images: np.memmap[Any, Any]
    key: str


def open_pack(index: Index, image: ImageConfig, cache: Path) -> Pack:
    """The images of the index at `image.size`, from `cache`; packed first where they are not.

    A torn pack, or one of other images, is made again. Opening looks at sizes and times of the
    files, not into them. Raises DataError with every image that cannot be read, ConfigError for
    an unknown `image.resize`, CompError when the cache cannot be written or the disk is too full.
    """
    pick(RESIZES, image.resize, "way to resize (image.resize)")
    if not len(index):
        raise DataError("there are no images to pack; check data.train_images and data.test_images")
    key = _key(index, image)
    folder = Path(cache) / key[:16]
    shape = (len(index), image.size, image.size, 3)
    try:
        return Pack(index.ids, _open(folder, key, shape, index.ids), key)
    except PackError:
        _build(folder, key, shape, index, image)
    return Pack(index.ids, _open(folder, key, shape, index.ids), key)


def _key(index: Index, image: ImageConfig) -> str:
    """SHA-256, as hex, of what the pack is made from."""
    settings = f"{FORMAT} {image.size} {image.resize}"
    rows = (
        "\x1f".join((name, path.parent.name, path.name, _state(path)))
        for name, path in zip(index.ids, index.paths, strict=True)
    )
    return files.digest_lines(itertools.chain([settings], rows))


def _state(path: Path) -> str:
    """Size and time of change of a file. One that is missing has none; packing will name it."""
    try:
        state = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, 50,000 times
    except (OSError, ValueError):
        return "missing"
    return f"{state.st_size} {state.st_mtime_ns}"


def _open(folder: Path, key: str, shape: tuple[int, ...], ids: tuple[str, ...]) -> Any:
    """The memory map of a whole pack; PackError says what is wrong with it."""
    manifest = files.read_json(folder / "manifest.json", PackError)
    path = folder / "images.npy"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise PackError(f"{path}: cannot be mapped ({problem})") from problem
    if images.shape != shape or images.dtype != np.uint8:
        raise PackError(f"{path}: holds {images.shape} {images.dtype}, expected {shape} uint8")
    expected = _manifest(key, ids, path, images)
    wrong = [name for name in expected if manifest.get(name) != expected[name]]
    if wrong:
        raise PackError(f"{folder}: not the pack of these images ({', '.join(wrong)} differ)")
    return images


def _manifest(key: str, ids: tuple[str, ...], path: Path, images: Pixels) -> dict[str, Any]:
    """What must be true of a whole pack: all of it cheap to find out again."""
    step = max(1, len(images) // _SAMPLED_ROWS)
    sample = hashlib.sha256(images[-1])
    for row in images[::step]:
        sample.update(row)
    return {
        "format": FORMAT,
        "key": key,
        "shape": list(images.shape),
        "bytes": path.stat().st_size,
        "ids": files.digest_lines(ids),
        "sample": sample.hexdigest(),
    }


def _build(
    folder: Path, key: str, shape: tuple[int, ...], index: Index, image: ImageConfig
) -> None:
    """Write the pack: the images beside, renamed when all are there; then the manifest.

    Two processes that build the same pack each write a file of their own and the same content.
    """
    files.sweep(folder)
    path = folder / "images.npy"
    needed = int(np.prod(shape))
    try:
        with files.replacing(path) as beside:
            _require_space(folder, needed)
            _write_rows(beside, shape, index, image)
    except CompError as problem:
        if getattr(problem.__cause__, "errno", None) == errno.ENOSPC:
            _require_space(folder, needed, full=True)
        raise
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    files.write_json(folder / "manifest.json", _manifest(key, index.ids, path, images))


def _require_space(folder: Path, needed: int, *, full: bool = False) -> None:
    """CompError when the disk of `folder` has too little room, or is known to be `full`."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if full or free < needed + _MARGIN:
        raise CompError(
            f"{folder}: the packed images need {needed / 1e6:,.0f} MB, the disk has "
            f"{free / 1e6:,.0f} MB free. Make room, choose a smaller image.size, or run `comp` "
            "in a folder on another disk"
        )


def _write_rows(path: Path, shape: tuple[int, ...], index: Index, image: ImageConfig) -> None:
    """The .npy file, row after row. (Not through a memory map: that dies on a full disk.)"""
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, *shape[1:]), dtype=np.uint8))
    complaints = []
    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, {**header, "shape": shape})
        rows = _decoded(index, image)
        for name, row in zip(
            index.ids, progress.track(rows, len(index), "packing images"), strict=True
        ):
            if isinstance(row, CheckError):
                complaints.append(f"{name!r}: {row}")
            elif not complaints:
                handle.write(row.data)
    complain(DataError, f"{len(complaints)} of {len(index)} images cannot be read:", complaints)


def _decoded(index: Index, image: ImageConfig) -> Iterator[Pixels | CheckError]:
    """Every image, fitted, in the order of the index; the error of one that cannot be read."""

    def block(paths: tuple[Path, ...]) -> list[Pixels | CheckError]:
        return [_decode(path, image) for path in paths]

    count = max(1, min(16, _BLOCK_BYTES // (image.size * image.size * 3)))
    blocks = (index.paths[start : start + count] for start in range(0, len(index), count))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # our threads are one per core already
    try:
        for rows in _ahead(block, blocks, _cores()):
            yield from rows
    finally:
        cv2.setNumThreads(threads)


def _decode(path: Path, image: ImageConfig) -> Pixels | CheckError:
    try:
        return fit(read_image(path), image.size, image.resize)
    except CheckError as problem:
        return problem


def _ahead(function: Callable[[Any], T], items: Iterable[Any], threads: int) -> Iterator[T]:
    """`function` of each item, in order, computed by threads that run a bounded way ahead."""
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """The processor cores that this process may use, 16 at most."""
    allowed = getattr(os, "sched_getaffinity", None)
    return min(16, len(allowed(0)) if allowed else os.cpu_count() or 1)
