"""Which files of a folder are tables, and why others are not."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from comp.core.errors import DataError
from comp.data.index.data_tables import read_any
from comp.data.index.tables import Table

_TABLES = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".parquet",
    ".pq",
    ".xlsx",
    ".xls",
    ".gz",
    ".zip",
    ".bz2",
    ".xz",
)
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
_LARGE = 200_000_000  # bytes of an archive that is not opened


def may_be_table(name: str) -> bool:
    """Whether a file is called like a table."""
    return name.lower().endswith(_TABLES)


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
        return "text without columns; a table is cut at comma, tab, semicolon or space"
    return table


def other_files(names: Iterable[str]) -> dict[str, str]:
    """Name -> why it is no table, of files of other kinds that may hold what one looks for."""
    suffixes = ((name, "." + name.lower().rpartition(".")[2]) for name in names)
    return {name: _OTHERS[suffix] for name, suffix in suffixes if suffix in _OTHERS}
