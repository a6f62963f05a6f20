"""The tables beside the rows of a pack: what was written is read, what was changed is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.core.checksums import row_sum, word_sum
from comp.core.errors import PackError
from comp.data.cache.build import Row
from comp.data.cache.manifest import describe, read_rows, refuse_damage, sum_of, write_rows

HEADER = b"head"
PAYLOADS = [b"a" * 10, b"", b"b" * 7]


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Three rows in `x.bin`, with a header before them."""
    (tmp_path / "x.bin").write_bytes(HEADER + b"".join(PAYLOADS))
    ends = [10, 10, 17]
    return [
        Row(f"d{n}", end, row_sum(payload))
        for n, (end, payload) in enumerate(zip(ends, PAYLOADS, strict=True))
    ]


def test_rows_come_back(tmp_path: Path, rows: list[Row]) -> None:
    manifest = {"rows": write_rows(tmp_path, rows)}
    assert read_rows(tmp_path, manifest, 3) == rows


def test_packs_of_earlier_versions_have_the_sum_that_they_do_not_name(tmp_path: Path) -> None:
    assert (sum_of({}), sum_of({"sum": "places"})) == ("words", "places")
    with pytest.raises(PackError, match="the sum 'md5' is not known"):
        sum_of({"sum": "md5"})
    (tmp_path / "x").write_bytes(b"0123456789")
    row = Row("d", 10, word_sum(b"0123456789"))
    old = describe("key", ["a"], tmp_path / "x", [row], "words")
    assert "sum" not in old
    assert old["sample"] == [row.total]


def test_another_table_than_the_manifest_names_is_refused(tmp_path: Path, rows: list[Row]) -> None:
    manifest = {"rows": write_rows(tmp_path, rows)}
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
    refuse_damage(path, ids, rows, "places")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert describe("key", ids, path, rows)["sample"] != whole["sample"]
    with pytest.raises(PackError, match=r"x\.bin: 1 rows are damaged: 'r'"):
        refuse_damage(path, ids, rows, "places")
