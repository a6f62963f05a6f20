"""Files that are tables, or may hold one, which a guess does not use: each with the reason."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.core.errors import DataError, first
from comp.data.index.data_tables import read_any
from comp.data.index.tables import Table

if TYPE_CHECKING:
    from comp.scaffold.folder import Folder, Guess

TABLES = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".pq", ".xlsx", ".xls", ".gz", ".zip")
# Files that are no tables here, but where a user may look for one
_OTHERS = {
    ".json": "JSON, and not COCO's with images, annotations and categories",
    ".jsonl": "JSON lines; save them as .csv",
    ".feather": "Feather; save it as .csv or .parquet",
    ".arrow": "Arrow; save it as .csv or .parquet",
    ".pkl": "a pickle, which is never opened; save it as .csv",
    ".pickle": "a pickle, which is never opened; save it as .csv",
    ".db": "a database; save the table as .csv",
    ".sqlite": "a database; save the table as .csv",
    ".ods": "an OpenDocument sheet; save it as .csv",
    ".xml": "XML; save it as .csv",
    ".7z": "an archive; unpack it",
    ".rar": "an archive; unpack it",
    ".tar": "an archive; unpack it",
    ".tgz": "an archive; unpack it",
}
_MANY = 3  # files of one folder and one reason that are named one by one
_LARGE = 200_000_000  # bytes of an archive that is not opened


def may_be_table(name: str) -> bool:
    """Whether a file is called like a table."""
    return name.lower().endswith(TABLES)


def open_table(path: Path) -> Table | str:
    """The table in a file, or why there is none."""
    name = path.name.lower()
    if name.endswith(".zip") and (not zipfile.is_zipfile(path) or path.stat().st_size > _LARGE):
        return "an archive; unpack it"
    try:
        table = read_any(path)
    except DataError as problem:
        lines = [" ".join(line.split()) for line in str(problem).splitlines()]
        return " ".join(lines[:2]).removeprefix(f"{path}: ")
    if name.endswith(".txt") and len(table.columns) < 2:
        return "text without columns; a table is cut at comma, tab or semicolon"
    return table


def other_files(names: Iterable[str]) -> dict[str, str]:
    """Name -> why it is no table, of files of other kinds that may hold what one looks for."""
    suffixes = ((name, "." + name.lower().rpartition(".")[2]) for name in names)
    return {name: _OTHERS[suffix] for name, suffix in suffixes if suffix in _OTHERS}


def left_out(place: Folder, found: Guess | None) -> list[str]:
    """A line for each file that the guess does not use; many of a kind in one line.

    found: None where nothing was recognised.
    """
    used = _used(found.data) if found else set()
    reasons = {
        **{name: _why(place, name, found) for name in place.tables},
        **place.others,
    }
    kinds: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, reason in sorted(reasons.items()):
        if name not in used:
            folder, _, file = name.rpartition("/")
            kinds[folder, file.rpartition(".")[2], reason].append(name)
    out = []
    for (_, _, reason), names in kinds.items():
        if len(names) > _MANY:
            out.append(f"{len(names)} files such as {names[0]}: {reason}")
        else:
            out += [f"{name}: {reason}" for name in names]
    return out


def _used(data: dict[str, Any]) -> set[str]:
    listed = [v for value in data.values() for v in (value if isinstance(value, list) else [value])]
    own = {
        "profiles": {"train/train.csv", "eval/info.csv"},
        "defects": {"test/sample_submission.csv"},
    }
    return {v for v in listed if isinstance(v, str)} | own.get(str(data.get("layout")), set())


def _why(place: Folder, name: str, found: Guess | None) -> str:
    """Why a table that can be read is not used."""
    from comp.scaffold.folder import is_test

    table, taken = place.tables[name], (found.data if found else {})
    if len(table) < 2 or len(table.columns) < 2:
        return f"{len(table)} rows and {len(table.columns)} columns; ids and labels are looked for"
    if is_test(name):
        return "called after a test or validation part, so its labels are not trained on"
    if any(word in name.lower() for word in ("sample", "submission")):
        sample = taken.get("sample_submission")
        return f"{sample} was taken as the sample" if sample else "called after a submission"
    if found and taken["layout"] != "csv":
        return f"layout {taken['layout']} was recognised first, which does not read it"
    column, share = place.best_column(name)
    if share <= 0.3:
        return (
            f"no column names the images: {share:.0%} of {column!r} do, such as "
            f"{first(table.values[column], 2)}"
        )
    return f"{taken['train_csv']} was taken" if found else f"its column {column!r} names images"
