"""The tables beside the rows of a pack: what was written is read, what was changed is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.core.checksums import word_sum
from comp.core.errors import PackError
from comp.data.cache.build import Row
from comp.data.cache.manifest import describe, read_rows, refuse_damage, write_stats, write_tables

HEADER = b"head"
PAYLOADS = [b"a" * 10, b"", b"b" * 7]


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Three rows in `x.bin`, with a header before them."""
    (tmp_path / "x.bin").write_bytes(HEADER + b"".join(PAYLOADS))
    ends = [10, 10, 17]
    return [
        Row(f"d{n}", end, word_sum(payload), (n, n + 5))
        for n, (end, payload) in enumerate(zip(ends, PAYLOADS, strict=True))
    ]


def test_rows_come_back_with_their_stats(tmp_path: Path, rows: list[Row]) -> None:
    manifest = {"rows": write_tables(tmp_path, rows, stats=True)}
    assert read_rows(tmp_path, manifest, 3) == rows
    write_stats(tmp_path, [(9, 9)] * 3)
    assert [row.stat for row in read_rows(tmp_path, manifest, 3)] == [(9, 9)] * 3


@pytest.mark.parametrize("stats", [None, "", "1 2\n", "1 2\nx 3\n4 5\n"])
def test_stats_that_are_not_known_are_zeros(
    tmp_path: Path, rows: list[Row], stats: str | None
) -> None:
    manifest = {"rows": write_tables(tmp_path, rows, stats=False)}
    if stats is not None:
        (tmp_path / "stats.txt").write_text(stats)
    assert [row.stat for row in read_rows(tmp_path, manifest, 3)] == [(0, 0)] * 3


def test_another_table_than_the_manifest_names_is_refused(tmp_path: Path, rows: list[Row]) -> None:
    manifest = {"rows": write_tables(tmp_path, rows, stats=True)}
    with pytest.raises(PackError, match=r"rows\.txt: not as it was written"):
        read_rows(tmp_path, manifest, 4)
    (tmp_path / "rows.txt").write_text((tmp_path / "rows.txt").read_text().replace("d1", "d9"))
    with pytest.raises(PackError, match=r"rows\.txt: not as it was written"):
        read_rows(tmp_path, manifest, 3)
    (tmp_path / "rows.txt").unlink()
    with pytest.raises(PackError, match=r"rows\.txt: cannot be read"):
        read_rows(tmp_path, manifest, 3)


def test_a_changed_byte_changes_the_sample_and_is_named_by_its_id(
    tmp_path: Path, rows: list[Row]
) -> None:
    path, ids = tmp_path / "x.bin", ["p", "q", "r"]
    whole = describe("key", ids, path, rows)
    assert (whole["key"], whole["bytes"], whole["sample"]) == (
        "key",
        len(HEADER) + 17,
        [row.total for row in rows],
    )
    refuse_damage(path, ids, rows)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert describe("key", ids, path, rows)["sample"] != whole["sample"]
    with pytest.raises(PackError, match=r"x\.bin: 1 rows are damaged: 'r'"):
        refuse_damage(path, ids, rows)
