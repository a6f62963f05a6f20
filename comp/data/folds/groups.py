"""Copies and groups that `comp check` found, and the groups that a user accepted.

    checks/<name>.json      what `comp check` found; `copies` and `proposals` are lists of groups
    folds/<name>.groups.csv id, group: accepted by `comp check --accept-groups`, or by hand

The groups name every training id once; for other ids they are stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    """Images that belong together: two or more training ids, and test ids.

    `kinds`       why, see `comp.check.duplicates.clusters`
    `confidence`  in [0, 1], of the weakest link that joins them
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
    """`copies`: the same thing beyond doubt; `proposals`: likely the same, copies included."""

    copies: tuple[Group, ...] = ()
    proposals: tuple[Group, ...] = ()


def ids_fingerprint(index: Index) -> str:
    """SHA-256 of the sorted training ids, as hex: which images proposals are about."""
    return checksums.digest_lines(index.ids)


def read_copies(path: Path, index: Index, cache: Path) -> Copies | None:
    """What `comp check` found about these training ids; None where it has not looked at them.

    Where their files hold other images now, it is told; what was found is used all the same, for
    without it copies would be in several folds unnoticed. `cache`: see `Index.contents`.
    Raises DataError when the file cannot be read.
    """
    if not path.is_file():
        return None
    found = files.read_json(path, DataError)
    if found.get("ids") != ids_fingerprint(index):
        progress.say(f"{path}: made for other training ids, so not used; run `comp check` again")
        return None
    if found.get("images", "") not in ("", index.contents(cache)):
        progress.note(
            f"{path}: images were replaced since `comp check`; the copies and groups that are "
            "used are those of the old ones. Run `comp check` again"
        )
    try:
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
        return Copies(*(tuple(map(_group, found[key])) for key in ("copies", "proposals")))
    except (KeyError, TypeError, ValueError) as problem:
        raise DataError(f"{path}: damaged ({problem!r}); run `comp check` again") from None


def _group(plain: dict[str, Any]) -> Group:
    texts = {key: tuple(map(str, plain[key])) for key in ("ids", "kinds", "test_ids")}
    return Group(name=str(plain["name"]), confidence=float(plain["confidence"]), **texts)


def merge(index: Index, groups: Iterable[Group]) -> tuple[str, ...]:
    """(N,) the group of each row: `groups`, joined with those that the index has already.

    An image in no group is a group of its own, named by its id.
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
    """Write the accepted groups; whole or not at all."""
    write_table(path, ("id", "group"), zip(ids, groups, strict=True))


def read_groups(path: Path, index: Index) -> tuple[str, ...]:
    """(N,) the accepted groups, in the order of the index.

    Raises DataError when they name other ids than the index has, an id twice or an empty group,
    or divide a group of `data.group`.
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
    complaints += [f"it divides the groups {first(torn)} of data.group"] if torn else []
    mend = f"Write it again with `comp check --accept-groups`, or remove {path.name}:"
    complain(DataError, f"{path}: not the groups of this data. {mend}", complaints)
    return tuple(of[name] for name in index.ids)


def accepted(
    index: Index, group: str | None, groups_csv: Path, check_json: Path, cache: Path
) -> Index:
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
    found = read_copies(check_json, index, cache)
    if found is None:
        raise DataError(
            f"data.group: {AUTO_GROUP}: nothing is proposed for these images yet ({check_json}); "
            "run `comp check`, or name a column, or null"
        )
    progress.say(
        f"groups: the {len(found.proposals)} that {check_json} proposes (data.group: auto)"
    )
    return replace(index, groups=merge(index, found.proposals))
