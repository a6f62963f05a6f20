"""Findings about the files of images and tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from comp.check.findings import Finding
from comp.check.image_stats import ImageStats
from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.data.index import file_match
from comp.data.index.data_tables import read_data_table
from comp.data.index.index import Index
from comp.data.layouts.layouts import LAYOUTS, sample_path, test_folder

Array = np.ndarray[Any, Any]

_SMALL, _LONG = 16, 8.0  # pixels of the shorter side; longer side over shorter side
_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".gif": "GIF",
}
_NEWLINES = {"\r\n": "CRLF", "\r": "CR"}
_NO_CONTENT = ("", hashlib.sha256(b"").hexdigest())  # of an unreadable file, of an empty one


def image_findings(part: str, index: Index, stats: ImageStats) -> Iterator[Finding]:
    """Images that cannot be read, and unusual ones. part: "training" or "test"."""
    for row in np.flatnonzero(~stats.readable):
        name = index.ids[row]
        yield Finding("error", f"{part} image {name!r}: {stats.problem[row]}", (name,))
    good = np.flatnonzero(stats.readable)
    for rows, what in _unusual(index, stats, good):
        ids = tuple(index.ids[row] for row in rows)
        if ids:
            yield Finding("note", f"{len(ids)} {part} images {what}: {first(ids, 3)}", ids)


def _unusual(index: Index, stats: ImageStats, good: Array) -> Iterator[tuple[Array, str]]:
    """Rows, and what is unusual about them. good: the rows of readable images."""
    sides = stats.size[good, :2]
    short, long = sides.min(axis=1), sides.max(axis=1)
    form, mode, orientation, _ = stats.header[good].T

    def where(flags: list[bool]) -> Array:
        return np.asarray(good[np.array(flags, dtype=bool)])

    yield good[short < _SMALL], f"are smaller than {_SMALL} pixels"
    yield good[long > _LONG * short], "are very long and narrow"
    clear = [text in ("LA", "RGBA", "PA", "La", "RGBa") for text in mode]
    yield where(clear), "have transparency (filled with white)"
    turned = [text not in ("", "1", "0") for text in orientation]
    yield where(turned), "are rotated by their EXIF orientation"
    named = zip(index.ids, index.paths, strict=True) if index.sources is None else ()
    renamed = [bool(file_match.spelling(*pair)) for pair in named]
    yield np.flatnonzero(renamed), "have another name on the disk than their id"
    suffixes = [index.paths[row].suffix.lower() for row in good]
    other = [_FORMATS.get(s, f) != f for s, f in zip(suffixes, form, strict=True)]
    yield where(other), "have a suffix of another format"


def shared_id_findings(
    train: Index, test: Index, train_digests: Array, test_digests: Array
) -> Iterator[Finding]:
    """Ids of both sets: an error where the files have the same bytes, else a warning.

    train_digests: (N,) text, of the files of the training images; test_digests: (M,).
    """
    row = {name: place for place, name in enumerate(train.ids)}
    shared = [(row[name], place) for place, name in enumerate(test.ids) if name in row]
    same = [(a, b) for a, b in shared if train_digests[a] == test_digests[b] not in _NO_CONTENT]
    other = [pair for pair in shared if pair not in {*same}]
    for level, pairs, what in (
        ("error", same, "with the same bytes: remove them from the training table"),
        ("warning", other, "but of different files; that is fine where each folder has own names"),
    ):
        if pairs:
            names = [f"{train.paths[a]} = {test.paths[b]}" for a, b in pairs]
            ids = tuple(train.ids[a] for a, _ in pairs)
            text = f"{len(ids)} ids are in both the training and the test set, {what}"
            yield Finding(level, f"{text}: {first(names, 3)}", ids)


def extra_test_images(data: DataConfig, test: Index) -> Iterator[Finding]:
    """Test images that the sample submission does not list: it may be an old one."""
    folder, train = test_folder(data), Path(data.root) / data.train_images
    if _overlap(folder, train) or not len(test) or sample_path(data) is None:
        return
    listed = {path.resolve() for source in test.all_sources for path in source.files}
    listing = file_match.list_files(folder, Path(data.root))
    extra = [name for name, path in listing.images if path.resolve() not in listed]
    if extra:
        yield Finding(
            "error",
            f"the sample submission lists {len(test)} images, {folder} holds "
            f"{len(listing.images)}: is it an old one? Not listed: {first(extra)}. If they are "
            "meant to be there, use --allow-extra-images",
        )


def _overlap(one: Path, two: Path) -> bool:
    a, b = one.resolve(), two.resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)


def images_without_row(data: DataConfig, train: Index, test: Index) -> Iterator[Finding]:
    """Images beside those of training that no row of the table names."""
    folder = Path(data.root) / data.train_images
    if not LAYOUTS[data.layout].named or not len(train):
        return
    known = {path for part in (train, test) for source in part.all_sources for path in source.files}
    listing = file_match.list_files(folder, Path(data.root))
    extra = tuple(name for name, path in listing.images if path not in known)
    if extra:
        text = f"{len(extra)} images in {folder} have no row in {data.train_csv}: {first(extra)}"
        yield Finding("note", text, extra)


def table_findings(data: DataConfig) -> Iterator[Finding]:
    """Tables that are not plain: UTF-8, commas, newlines of one character."""
    sample = sample_path(data)
    for path in (Path(data.root) / data.train_csv, *([sample] if sample else [])):
        if not path.is_file():
            continue
        form = read_data_table(path, data).form
        odd = [f"encoding {form.encoding}"] if form.encoding != "utf-8" else []
        odd += ["a byte order mark"] if form.bom else []
        odd += [f"newlines {_NEWLINES[form.newline]}"] if form.newline in _NEWLINES else []
        odd += [f"delimiter {form.delimiter!r}"] if form.delimiter != "," else []
        if odd:
            yield Finding("note", f"{path}: {', '.join(odd)}")
