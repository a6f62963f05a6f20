"""The tables beside the rows of a pack, and what must be true of a whole one.

rows.txt        a line per row: digest of its origin, end and sum of its payload
stats.txt       a line per row: size and time of change of its file
manifest.json   written last: its existence means that the pack is whole
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comp.core import files, progress
from comp.core.checksums import digest_lines, digest_text, word_sum
from comp.core.errors import PackError, first
from comp.data.cache.build import Row, Stat
from comp.data.cache.contents import FORMAT

ROWS, STATS, MANIFEST = "rows.txt", "stats.txt", "manifest.json"
_SAMPLED_ROWS = 16


def write_tables(folder: Path, rows: Sequence[Row], *, stats: bool) -> str:
    """Write the table of rows, and that of stats if `stats`; returns the digest of the former."""
    text = "".join(f"{row.digest} {row.end} {row.total}\n" for row in rows)
    files.write_text(folder / ROWS, text)
    if stats:
        write_stats(folder, [row.stat for row in rows])
    return digest_text(text)


def write_stats(folder: Path, stats: Sequence[Stat]) -> None:
    """Write size and time of change of each row's file."""
    files.write_text(folder / STATS, "".join(f"{size} {changed}\n" for size, changed in stats))


def read_rows(folder: Path, manifest: dict[str, Any], count: int) -> list[Row]:
    """The rows with the stats that their files had; (0, 0) for all where those are not known.

    Raises PackError when the table is not the one that the manifest names.
    """
    try:
        text = (folder / ROWS).read_text(encoding="ascii")
        lines = text.splitlines()
        if len(lines) != count or manifest.get("rows") != digest_text(text):
            raise PackError(f"{folder / ROWS}: not as it was written")
    except (OSError, ValueError) as problem:
        raise PackError(f"{folder / ROWS}: cannot be read ({problem})") from problem
    stats = [(0, 0)] * count
    with contextlib.suppress(OSError, ValueError):
        found = (folder / STATS).read_text(encoding="ascii").splitlines()
        pairs = [(int(size), int(at)) for size, at in (line.split() for line in found)]
        stats = pairs if len(pairs) == count else stats
    parts = (line.split() for line in lines)
    return [
        Row(digest, int(end), int(total), stat)
        for (digest, end, total), stat in zip(parts, stats, strict=True)
    ]


def describe(key: str, ids: Sequence[str], path: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """What must be true of a whole pack: all of it is cheap to find out again."""
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


def refuse_damage(path: Path, ids: Sequence[str], rows: Sequence[Row]) -> None:
    """Compare every row with its sum; PackError names those that differ."""
    header = path.stat().st_size - rows[-1].end
    with path.open("rb") as handle:
        places = progress.track(range(len(rows)), len(rows), "verifying")
        bad = [
            ids[place]
            for place in places
            if _row_sum(handle, header, rows, place) != rows[place].total
        ]
    if bad:
        raise PackError(f"{path}: {len(bad)} rows are damaged: {first(bad)}")


def _row_sum(handle: Any, header: int, rows: Sequence[Row], place: int) -> int:
    start = rows[place - 1].end if place else 0
    handle.seek(max(0, header) + start)
    return word_sum(handle.read(rows[place].end - start))
