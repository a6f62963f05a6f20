"""Images that are in both parts: to be trained on, and to be answered for.

One file in both parts is refused wherever the data are read: no plan could mend it. Two files of
one id and the same bytes are a leak, which a plan may only have when it says so. Two files that
merely share a name (every folder has its `0001.png`) are two images.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.data.index.file_match import Listing
from comp.data.index.index import Index
from comp.data.index.tables import read_table


@dataclass(frozen=True)
class Pair:
    """An image in both parts: its id and its file in the training set and in the test set."""

    train_id: str
    train: Path
    test_id: str
    test: Path


def same_files(index: Index, asked: Sequence[str], listing: Listing) -> list[Pair]:
    """Training images that are the very files of test images, whatever their ids; links too.

    asked: the test ids; listing: the files of their folder.
    """
    shared = {*index.ids} & {*asked}
    inside = any(_overlap(folder, listing.folder) for folder in {p.parent for p in index.paths})
    if not inside and not shared:
        return []
    owner = {
        path.resolve(): (name, path)
        for name, path in zip(index.ids, index.paths, strict=True)
        if inside or name in shared
    }
    found = [(name, path, path.resolve()) for name, path in _files(asked, listing)]
    return [Pair(*owner[real], name, path) for name, path, real in found if real in owner]


def same_bytes(index: Index, asked: Sequence[str], listing: Listing) -> list[Pair]:
    """Training images whose id is a test id, with files of the same bytes. (Empty files say
    nothing.)"""
    file = dict(zip(index.ids, index.paths, strict=True))
    shared = [name for name in asked if name in file]
    found = _files(shared, listing)
    return [Pair(name, file[name], name, path) for name, path in found if _equal(file[name], path)]


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
        return a.stat().st_size > 0 and filecmp.cmp(a, b, shallow=False)
    except OSError:  # told where it is read
        return False


def told(
    pairs: Sequence[Pair], train: tuple[Path, str], test: tuple[Path | None, str]
) -> list[str]:
    """What to say of each pair: both rows and both files.

    train, test: the table of each part, which need not be there, and its column of ids.
    """
    if not pairs:
        return []
    rows, asked = _places(*train), _places(*test)
    return [
        f"the training id {p.train_id!r} ({rows.get(p.train_id, '')}{p.train}) is the test id "
        f"{p.test_id!r} ({asked.get(p.test_id, '')}{p.test})"
        for p in pairs
    ]


def _places(path: Path | None, column: str) -> dict[str, str]:
    """Where each id stands in a table; nothing where there is none."""
    if path is None or not path.is_file():
        return {}
    table = read_table(path)
    ids = table.values.get(column, table.values[table.columns[0]])
    return {name: f"{path}, line {n}: " for name, n in zip(ids, table.lines, strict=True)}
