"""Images that are in both the training set and the test set.

One file in both sets is refused wherever the data are read: no plan could help. Two files of one id
with the same bytes are a leak, which a plan may have only if it notes it. Two files that merely
share a name (every folder has its `0001.png`) are two images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.config.schema import DataConfig
from comp.data.index.data_tables import read_data_table
from comp.data.index.file_match import Listing
from comp.data.index.index import Index
from comp.data.index.sources import Source


@dataclass(frozen=True)
class SharedImage:
    """An image in both sets: its id and its file in the training set and in the test set."""

    train_id: str
    train: Path
    test_id: str
    test: Path


def same_files(index: Index, test_ids: Sequence[str], listing: Listing) -> list[SharedImage]:
    """Training images that are the very files of test images, whatever their ids; links too.

    listing: the files of the folder of test images.
    """
    shared = {*index.ids} & {*test_ids}
    inside = any(_overlap(folder, listing.folder) for folder in {p.parent for p in index.paths})
    if not inside and not shared:
        return []
    owner = {
        path.resolve(): (name, path)
        for name, path in zip(index.ids, index.paths, strict=True)
        if inside or name in shared
    }
    found = [(name, path, path.resolve()) for name, path in _files(test_ids, listing)]
    return [SharedImage(*owner[real], name, path) for name, path, real in found if real in owner]


def same_bytes(index: Index, test_ids: Sequence[str], listing: Listing) -> list[SharedImage]:
    """Training images whose id is a test id, with files of the same bytes; empty files do not
    count."""
    file = dict(zip(index.ids, index.paths, strict=True))
    shared = [name for name in test_ids if name in file]
    found = _files(shared, listing)
    return [
        SharedImage(name, file[name], name, path)
        for name, path in found
        if _equal(file[name], path)
    ]


def same_sources(index: Index, test: Index, *, content: bool) -> list[SharedImage]:
    """Training images of several files or of slices that are test images too.

    content: those of one id whose files hold the same bytes; else those that are the very files.
    """
    found = list[SharedImage]()
    if content:
        rows = {name: row for row, name in enumerate(test.ids)}
        for row, name in enumerate(index.ids):
            own, other = index.source(row), test.source(rows[name]) if name in rows else None
            pairs = zip(own.files, other.files, strict=True) if other else ()
            if other and own.slices == other.slices and all(_equal(a, b) for a, b in pairs):
                found.append(SharedImage(name, own.files[0], name, other.files[0]))
        return found
    owner = {_real(source): row for row, source in enumerate(index.all_sources)}
    for name, source in zip(test.ids, test.all_sources, strict=True):
        at = owner.get(_real(source))
        if at is not None:
            found.append(SharedImage(index.ids[at], index.paths[at], name, source.files[0]))
    return found


def _real(source: Source) -> tuple[object, ...]:
    return *(path.resolve() for path in source.files), *source.slices


def _overlap(a: Path, b: Path) -> bool:
    """Whether one of two folders lies in the other."""
    one, two = a.resolve(), b.resolve()
    return one.is_relative_to(two) or two.is_relative_to(one)


def _files(names: Iterable[str], listing: Listing) -> list[tuple[str, Path]]:
    """The file of each id that has exactly one."""
    found = ((name, listing.find(name)) for name in names)
    return [(name, paths[0]) for name, paths in found if len(paths) == 1]


def _equal(a: Path, b: Path) -> bool:
    try:
        return a.stat().st_size == b.stat().st_size > 0 and a.read_bytes() == b.read_bytes()
    except OSError:  # reported where it is read
        return False


def complaints(
    pairs: Sequence[SharedImage], data: DataConfig, train: Path, test: Path | None
) -> list[str]:
    """A complaint for each shared image, with both rows and both files.

    train, test: the table of each part, which need not be there.
    """
    if not pairs:
        return []
    train_rows, test_rows = _places(train, data), _places(test, data)
    return [
        f"the training id {p.train_id!r} ({train_rows.get(p.train_id, '')}{p.train}) is the test "
        f"id {p.test_id!r} ({test_rows.get(p.test_id, '')}{p.test})"
        for p in pairs
    ]


def _places(path: Path | None, data: DataConfig) -> dict[str, str]:
    """Where each id stands in a table; nothing where there is none."""
    if path is None or not path.is_file():
        return {}
    table = read_data_table(path, data)
    ids = table.values.get(data.id, table.values[table.columns[0]])
    return {name: f"{path}, line {n}: " for name, n in zip(ids, table.lines, strict=True)}
