"""The tables beside the rows of a pack, and what must be true of a whole one.

rows.txt        a line per row: digest of its origin, end and sum of its payload
manifest.json   written last: its existence means that the pack is whole
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files, progress
from comp.core.checksums import SUMS, digest_lines, digest_text
from comp.core.errors import PackError, first
from comp.data.cache.build import Row
from comp.data.cache.contents import FORMAT
from comp.data.cache.guard import Guard

ROWS, MANIFEST = "rows.txt", "manifest.json"
_SAMPLED_ROWS = 16
_SUM = "sum"  # in the manifest: which one the rows have; packs of 0.2.0 do not say


def write_rows(folder: Path, rows: Sequence[Row]) -> str:
    """Write the table of rows; returns its digest."""
    text = "".join(f"{row.digest} {row.end} {row.total}\n" for row in rows)
    files.write_text(folder / ROWS, text)
    return digest_text(text)


def read_rows(folder: Path, manifest: dict[str, Any], count: int) -> list[Row]:
    """The rows of a pack. PackError when the table is not the one that the manifest names."""
    try:
        text = (folder / ROWS).read_text(encoding="ascii")
        lines = text.splitlines()
        if len(lines) != count or manifest.get("rows") != digest_text(text):
            raise PackError(f"{folder / ROWS}: not as it was written")
    except (OSError, ValueError) as problem:
        raise PackError(f"{folder / ROWS}: cannot be read ({problem})") from problem
    parts = (line.split() for line in lines)
    return [Row(digest, int(end), int(total)) for digest, end, total in parts]


def sum_of(manifest: dict[str, Any]) -> str:
    """The name of the sum that the rows of a pack have. PackError for an unknown one."""
    name = manifest.get(_SUM, "words")
    if name not in SUMS:
        raise PackError(f"the sum {name!r} is not known")
    return str(name)


def guard_of(path: Path, ids: Sequence[str], rows: Sequence[Row], how: str) -> Guard:
    """What compares each row of a pack with its sum."""
    ends = np.array([row.end for row in rows], dtype=np.int64)
    totals = np.array([row.total for row in rows], dtype=np.uint64)
    return Guard(path, tuple(ids), ends, totals, how)


def describe(
    key: str, ids: Sequence[str], path: Path, rows: Sequence[Row], how: str = "places"
) -> dict[str, Any]:
    """What must be true of a whole pack: all of it is cheap to find out again. how: the sum."""
    size = path.stat().st_size
    header = size - rows[-1].end
    places = sorted({*range(0, len(rows), max(1, len(rows) // _SAMPLED_ROWS)), len(rows) - 1})
    with path.open("rb") as handle:
        sample = [_row_sum(handle, header, rows, place, how) for place in places]
    return {
        "format": FORMAT,
        "key": key,
        "bytes": size,
        "ids": digest_lines(ids),
        "sample": sample,
        **({} if how == "words" else {_SUM: how}),
    }


def refuse_damage(path: Path, ids: Sequence[str], rows: Sequence[Row], how: str) -> None:
    """Compare every row with its sum; PackError names those that differ."""
    header = path.stat().st_size - rows[-1].end
    with path.open("rb") as handle:
        places = progress.track(range(len(rows)), len(rows), "verifying")
        bad = [
            ids[place]
            for place in places
            if _row_sum(handle, header, rows, place, how) != rows[place].total
        ]
    if bad:
        raise PackError(f"{path}: {len(bad)} rows are damaged: {first(bad)}")


def _row_sum(handle: Any, header: int, rows: Sequence[Row], place: int, how: str) -> int:
    start = rows[place - 1].end if place else 0
    handle.seek(max(0, header) + start)
    return SUMS[how](handle.read(rows[place].end - start))
