"""Copies and proposed groups on the disk, and the groups that a user accepted.

    checks/<name>.json      what `comp check` found; `copies` and `proposals` are lists of groups
    folds/<name>.groups.csv id, group: accepted by `comp check --accept-groups`, or by hand
    folds/<name>.skip.csv   id, part, reason: images that `comp check --bad skip` set aside

The groups name every training id once. That is their fingerprint: for other ids they are stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.config.schema import AUTO_GROUP
from comp.core import checksums, files, progress
from comp.core.errors import DataError, complain, first
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.tables import read_table, write_table

FORMAT = 1


@dataclass(frozen=True)
class Group:
    """Images that belong together: training ids (two and more), and test ids beside them.

    `kinds`: why, see `comp.check.duplicates.clusters`; `confidence`: 0..1, of the weakest link that
    is needed.
    """

    name: str
    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    confidence: float
    test_ids: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "ids": list(self.ids),
            "test_ids": list(self.test_ids),
            "kinds": list(self.kinds),
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True)
class Copies:
    """`copies`: the same thing beyond doubt; `proposals`: what is likely to be, the copies too."""

    copies: tuple[Group, ...] = ()
    proposals: tuple[Group, ...] = ()


def ids_fingerprint(index: Index) -> str:
    """SHA-256 of the sorted training ids, as hex: what proposals are about."""
    return checksums.digest_lines(index.ids)


def read_copies(path: Path, index: Index) -> Copies | None:
    """What `comp check` found about these training ids; None where it has not looked at them.

    Raises DataError when the file cannot be read.
    """
    if not path.is_file():
        return None
    found = files.read_json(path, DataError)
    if found.get("ids") != ids_fingerprint(index):
        progress.say(f"{path}: of other training ids, not used; `comp check` makes it anew")
        return None
    try:
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
        return Copies(*(tuple(map(_group, found[key])) for key in ("copies", "proposals")))
    except (KeyError, TypeError, ValueError) as problem:
        raise DataError(f"{path}: damaged ({problem!r}); make it anew with `comp check`") from None


def _group(plain: dict[str, Any]) -> Group:
    texts = {key: tuple(map(str, plain[key])) for key in ("ids", "kinds", "test_ids")}
    return Group(name=str(plain["name"]), confidence=float(plain["confidence"]), **texts)


def merge(index: Index, groups: Iterable[Group]) -> tuple[str, ...]:
    """(N,) a group for each row: of `groups`, joined with those that the index has already.

    An image in no group is a group of its own, under its id.
    """
    parent = list(range(len(index)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    together = [index.rows(group.ids).tolist() for group in groups]
    of_column: dict[str, list[int]] = {}
    for row, name in enumerate(index.groups or ()):
        of_column.setdefault(name, []).append(row)
    for rows in [*of_column.values(), *together]:
        for row in rows[1:]:
            low, high = sorted((root(rows[0]), root(row)))
            parent[high] = low
    return tuple(_named([root(row) for row in range(len(index))], index.ids))


def _named(roots: Sequence[int], ids: Sequence[str]) -> list[str]:
    """The name of each row's group: `g0001`, ... for several images, the id of a single one."""
    sizes = np.bincount(roots, minlength=len(roots))
    taken, names = {*ids}, dict[int, str]()
    number = 0
    for row in roots:
        if row in names:
            continue
        names[row] = ids[row]
        while sizes[row] > 1 and (names[row] in taken):
            number += 1
            names[row] = f"g{number:04d}"
    return [names[row] for row in roots]


def write_groups(path: Path, ids: Sequence[str], groups: Sequence[str]) -> None:
    """The accepted groups as a table; whole or not at all."""
    write_table(path, ("id", "group"), zip(ids, groups, strict=True))


def read_groups(path: Path, index: Index) -> tuple[str, ...]:
    """(N,) the accepted groups, in the order of the index.

    Raises DataError when they name other ids than the index has, an id twice or an empty group,
    or part what stands in one group of `data.group`.
    """
    table = read_table(path)
    ids, groups = table.column("id"), table.column("group")
    complaints = file_match.repeated_rows(ids, table.lines)
    new, gone = sorted({*index.ids} - {*ids}), sorted({*ids} - {*index.ids})
    complaints += [f"{len(new)} training ids are not in it: {first(new)}"] if new else []
    complaints += [f"{len(gone)} ids are not training ids: {first(gone)}"] if gone else []
    empty = [line for group, line in zip(groups, table.lines, strict=True) if not group.strip()]
    complaints += [f"{len(empty)} ids have no group: lines {first(empty)}"] if empty else []
    of = dict(zip(ids, groups, strict=True))
    parted: dict[str, set[str]] = {}
    for name, column in zip(index.ids, index.groups or (), strict=False):
        parted.setdefault(column, set()).add(of.get(name, ""))
    torn = sorted(column for column, named in parted.items() if len(named) > 1)
    complaints += [f"it parts the groups {first(torn)} of data.group"] if torn else []
    mend = f"Make it anew with `comp check --accept-groups`, or remove {path.name}:"
    complain(DataError, f"{path}: not the groups of this data. {mend}", complaints)
    return tuple(of[name] for name in index.ids)


def accepted(index: Index, group: str | None, groups_csv: Path, check_json: Path) -> Index:
    """The index with the groups that the user accepted.

    They are those of `groups_csv` where it is there. Where `data.group` is "auto" they are else
    the proposals of `check_json`; a DataError names the command that makes them. Without either,
    the index as it is.
    """
    if groups_csv.is_file():
        progress.say(f"groups: {groups_csv}, accepted from `comp check`")
        return replace(index, groups=read_groups(groups_csv, index))
    if group != AUTO_GROUP:
        return index
    found = read_copies(check_json, index)
    if found is None:
        raise DataError(
            f"data.group: {AUTO_GROUP}: nothing is proposed for these images yet ({check_json}); "
            "run `comp check`, or name a column, or null"
        )
    progress.say(
        f"groups: the {len(found.proposals)} that {check_json} proposes (data.group: auto)"
    )
    return replace(index, groups=merge(index, found.proposals))


@dataclass(frozen=True)
class Skipped:
    """Unreadable images that are set aside: id -> reason, of the training and of the test set."""

    train: dict[str, str]
    test: dict[str, str]


def write_skipped(path: Path, skipped: Skipped) -> None:
    """The list of what is set aside; no file when there is nothing."""
    rows = [(name, "train", why) for name, why in sorted(skipped.train.items())]
    rows += [(name, "test", why) for name, why in sorted(skipped.test.items())]
    if rows:
        write_table(path, ("id", "part", "reason"), rows)
    else:
        path.unlink(missing_ok=True)


def read_skipped(path: Path) -> Skipped:
    """The images that are set aside; nothing where there is no such file."""
    if not path.is_file():
        return Skipped({}, {})
    table = read_table(path)
    rows = [*zip(*(table.column(name) for name in ("id", "part", "reason")), strict=True)]
    parts = {
        part: {name: why for name, of, why in rows if of == part} for part in ("train", "test")
    }
    other = [name for name, of, _ in rows if of not in parts]
    complain(DataError, f"{path}:", [f"part is neither train nor test: {n!r}" for n in other])
    return Skipped(**parts)


def without(index: Index, skipped: Iterable[str], path: Path) -> Index:
    """The index without these ids; DataError when a class loses its last image."""
    away = {*skipped} & {*index.ids}
    if not away:
        return index
    keep = np.array([name not in away for name in index.ids])
    left = index.part(np.flatnonzero(keep))
    had, has = (part.cells for part in (index, left))
    gone = [
        name for name, a, b in zip(index.classes, had.sum(0), has.sum(0), strict=True) if a > b == 0
    ]
    if gone or not len(left):
        raise DataError(
            f"{path}: without the {len(away)} images that it sets aside the classes {first(gone)} "
            "have none left. Mend the files, or take the class out of the data"
        )
    progress.say(f"{len(away)} training images are set aside ({path}): {first(sorted(away))}")
    return left


def grey_image(cache: Path) -> Path:
    """The image that stands for one that cannot be read: middle grey, in `cache`."""
    path = cache / "grey.png"
    if not path.is_file():
        files.write_bytes(
            path, cv2.imencode(".png", np.full((8, 8, 3), 128, np.uint8))[1].tobytes()
        )
    return path
