"""All images at their final size in one file, decoded once and mapped into memory.

    cache/<place>/images.npy      (N, size, size, 3) uint8; or images.bin, the files' own bytes
    cache/<place>/rows.txt        a line a row: digest of its file, end and sum of its payload
    cache/<place>/stats.txt       a line a row: size and time of change of its file
    cache/<place>/manifest.json   written last: its existence means that the pack is whole

The place follows from the ids, the names of the files and the image settings; the key from the ids,
the settings and the content of the files. Where size and time of a file are as they were, its
content is not read again; where they are not (data downloaded anew), its digest decides.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.core import files, progress
from comp.core.checksums import digest_lines, digest_text, short_file_digest, word_sum
from comp.core.errors import DataError, PackError, first, pick
from comp.core.parallel import cores, read_ahead
from comp.data.cache.build import (
    Build,
    Row,
    of_files,
)
from comp.data.cache.store import Decoded, Encoded, Files, Images
from comp.data.images.decode import RESIZES, decode_image, fit
from comp.data.images.geometry import OWN_SIZE
from comp.data.index.index import Index

Pixels = np.ndarray[Any, Any]

FORMAT = 2  # of the pack and of what decoding and resizing give; a new number is a new place
_SAMPLED_ROWS = 16


@dataclass(frozen=True)
class Pack:
    """The images of `ids` (N,), read-only, in their order; `key`: of what; `folder`: where.

    `images`: (N, size, size, 3) uint8, an np.memmap, or what stands for one, see
    `comp.data.cache.store`.
    """

    ids: tuple[str, ...]
    images: Images
    key: str
    folder: Path | None


@dataclass(frozen=True)
class _Kind:
    """A way to keep images.

    `name`     of the file
    `header`   shape -> the bytes that open it
    `needed`   index, shape -> the bytes of all rows
    `payload`  settings -> from a file's content to a row's bytes
    `map`      file, rows, ids, settings -> the images
    """

    name: str
    header: Callable[[tuple[int, ...]], bytes]
    needed: Callable[[Index, tuple[int, ...]], int]
    payload: Callable[[ImageConfig], Callable[[bytes], Pixels | bytes]]
    map: Callable[[Path, Sequence[Row], tuple[str, ...], ImageConfig], Images]


def npy_header(shape: tuple[int, ...]) -> bytes:
    """How a .npy of uint8 in this shape begins."""
    import io

    about = np.lib.format.header_data_from_array_1_0(np.empty((0, *shape[1:]), dtype=np.uint8))
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {**about, "shape": shape})
    return out.getvalue()


def _fitted(image: ImageConfig) -> Callable[[bytes], Pixels]:
    return lambda content: fit(decode_image(content), image.size, image.resize)


def _as_it_is(image: ImageConfig) -> Callable[[bytes], bytes]:
    def payload(content: bytes) -> bytes:
        decode_image(content)  # what cannot be decoded is told now, not in hour three
        return content

    return payload


def _map_npy(path: Path, rows: Sequence[Row], ids: tuple[str, ...], image: ImageConfig) -> Images:
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    shape = (len(ids), image.size, image.size, 3)
    if images.shape != shape or images.dtype != np.uint8:
        raise PackError(f"{path}: holds {images.shape} {images.dtype}, expected {shape} uint8")
    return images


def _map_bytes(path: Path, rows: Sequence[Row], ids: tuple[str, ...], image: ImageConfig) -> Images:
    return Decoded(Encoded(path, np.array([row.end for row in rows])), ids, image)


KINDS: dict[str, _Kind] = {
    "memmap": _Kind(
        "images.npy", npy_header, lambda index, shape: int(np.prod(shape)), _fitted, _map_npy
    ),
    "encoded": _Kind(
        "images.bin",
        lambda shape: b"",
        lambda index, shape: sum(files.file_stat(path)[0] for path in index.paths),
        _as_it_is,
        _map_bytes,
    ),
}


def open_pack(index: Index, image: ImageConfig, cache: Path, *, verify: bool = False) -> Pack:
    """The images of the index at `image.size`, from `cache`; packed first where they are not.

    With `image.pack` "none" nothing is packed, and every image is decoded whenever it is wanted.
    A torn pack, or one of other images, is made again; one that was being made is gone on with.
    verify: compare every row with its sum too. Raises DataError with every image that cannot be
    read, ConfigError for an unknown `image.resize`, CompError when the cache cannot be written or
    the disk is too full.
    """
    pick(RESIZES, image.resize, "way to resize (image.resize)")
    if image.resize in OWN_SIZE and image.pack == "memmap":
        image = image.model_copy(update={"pack": "encoded"})  # rows of a map are of one size
    if not len(index):
        raise DataError("there are no images to pack; check data.train_images and data.test_images")
    if image.pack == "none":
        return Pack(index.ids, Decoded(Files(index.paths), index.ids, image), "", None)
    folder = Path(cache) / _place(index, image)[:16]
    try:
        return _open(folder, index, image, verify)
    except PackError as problem:
        if (folder / "manifest.json").is_file():
            progress.say(f"{problem}; packing anew")
    _build(folder, index, image)
    return _open(folder, index, image, False)


def _place(index: Index, image: ImageConfig) -> str:
    """SHA-256, as hex, of the settings and of the names of the files."""
    names = (
        "\x1f".join((name, path.parent.name, path.name))
        for name, path in zip(index.ids, index.paths, strict=True)
    )
    return digest_lines(itertools.chain([_settings(image)], names))


def _settings(image: ImageConfig) -> str:
    if image.pack == "encoded":
        return f"{FORMAT} encoded"  # the same bytes for every size
    return f"{FORMAT} {image.pack} {image.size} {image.resize}"


def _key(index: Index, image: ImageConfig, rows: Sequence[Row]) -> str:
    """SHA-256, as hex, of the settings and of the content of the files."""
    pairs = (f"{name}\x1f{row.digest}" for name, row in zip(index.ids, rows, strict=True))
    return digest_lines(itertools.chain([_settings(image)], pairs))


def _open(folder: Path, index: Index, image: ImageConfig, verify: bool) -> Pack:
    """A whole pack of these images; PackError says what is wrong with it."""
    kind = KINDS[image.pack]
    manifest = files.read_json(folder / "manifest.json", PackError)
    path = folder / kind.name
    rows = read_rows(folder, manifest, len(index))
    try:
        images = kind.map(path, rows, index.ids, image)
    except (OSError, ValueError, EOFError) as problem:
        raise PackError(f"{path}: cannot be mapped ({problem})") from problem
    expected = describe(_key(index, image, rows), index.ids, path, rows)
    wrong = [name for name in expected if manifest.get(name) != expected[name]]
    if wrong:
        raise PackError(f"{folder}: not the pack of these images ({', '.join(wrong)} differ)")
    _refuse_other_files(folder, index, rows)
    if verify:
        _refuse_damage(path, index, rows)
    return Pack(index.ids, images, expected["key"], folder)


def read_rows(folder: Path, manifest: dict[str, Any], count: int) -> list[Row]:
    """The rows with the state that their files had; (0, 0) for all where that is not known."""
    try:
        text = (folder / "rows.txt").read_text(encoding="ascii")
        lines = text.splitlines()
        if len(lines) != count or manifest.get("rows") != digest_text(text):
            raise PackError(f"{folder}/rows.txt: not as it was written")
    except (OSError, ValueError) as problem:
        raise PackError(f"{folder}/rows.txt: cannot be read ({problem})") from problem
    stats = [(0, 0)] * count
    with contextlib.suppress(OSError, ValueError):
        found = (folder / "stats.txt").read_text(encoding="ascii").splitlines()
        pairs = [(int(size), int(at)) for size, at in (line.split() for line in found)]
        stats = pairs if len(pairs) == count else stats
    parts = (line.split() for line in lines)
    return [
        Row(digest, int(end), int(total), stat)
        for (digest, end, total), stat in zip(parts, stats, strict=True)
    ]


def describe(key: str, ids: Sequence[str], path: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """What must be true of a whole pack: all of it cheap to find out again."""
    size = path.stat().st_size
    header = size - rows[-1].end
    places = sorted({*range(0, len(rows), max(1, len(rows) // _SAMPLED_ROWS)), len(rows) - 1})
    with path.open("rb") as handle:
        sample = [_row_sum(handle, header, rows, place) for place in places]
    return {
        "format": FORMAT,
        "key": key,
        "bytes": size,
        "ids": digest_lines(ids),
        "sample": sample,
    }


def _row_sum(handle: Any, header: int, rows: Sequence[Row], place: int) -> int:
    start = rows[place - 1].end if place else 0
    handle.seek(max(0, header) + start)
    return word_sum(handle.read(rows[place].end - start))


def _refuse_other_files(folder: Path, index: Index, rows: Sequence[Row]) -> None:
    """Nothing when the files are those that were packed; their new state is noted where only
    their time of change is another. PackError names those with another content."""
    stats = [files.file_stat(path) for path in index.paths]
    doubtful = [place for place, row in enumerate(rows) if row.stat != stats[place]]
    if not doubtful:
        return
    digests = read_ahead(lambda place: short_file_digest(index.paths[place]), doubtful, cores())
    changed = [
        index.ids[place]
        for place, digest in zip(doubtful, digests, strict=True)
        if digest != rows[place].digest
    ]
    if changed:
        raise PackError(f"{folder}: {len(changed)} images have changed: {first(changed)}")
    files.write_text(folder / "stats.txt", _stats_text(stats))


def _refuse_damage(path: Path, index: Index, rows: Sequence[Row]) -> None:
    header = path.stat().st_size - rows[-1].end
    with path.open("rb") as handle:
        places = progress.track(range(len(rows)), len(rows), "verifying")
        bad = [
            index.ids[place]
            for place in places
            if _row_sum(handle, header, rows, place) != rows[place].total
        ]
    if bad:
        raise PackError(f"{path}: {len(bad)} rows are damaged: {first(bad)}")


def rows_text(rows: Sequence[Row]) -> str:
    """The table of rows."""
    return "".join(f"{row.digest} {row.end} {row.total}\n" for row in rows)


def _stats_text(stats: Sequence[tuple[int, int]]) -> str:
    return "".join(f"{size} {changed}\n" for size, changed in stats)


def _build(folder: Path, index: Index, image: ImageConfig) -> None:
    """Write the pack: the rows, the tables about them, then the manifest. (An old manifest fits
    the old table of rows only.)

    Two processes that build the same pack each write files of their own and the same content.
    """
    kind = KINDS[image.pack]
    shape = (len(index), image.size, image.size, 3)
    needed, final = kind.needed(index, shape), folder / kind.name
    origin = of_files(index.paths, kind.payload(image))
    made, rows = Build(final, index.ids, origin, kind.header(shape), needed).run()
    text = rows_text(rows)
    files.write_text(folder / "rows.txt", text)
    files.write_text(folder / "stats.txt", _stats_text([row.stat for row in rows]))
    about = describe(_key(index, image, rows), index.ids, made, rows)
    made.replace(final)
    files.write_json(folder / "manifest.json", {**about, "rows": digest_text(text)})
    shutil.rmtree(made.parent)
