"""Which files are tables."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from comp.data.index.tables import Table
from comp.scaffold.open_tables import may_be_table, open_table, other_files


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "id,label\n1,a\n", None),
        ("a.txt", "id\tlabel\n1\ta\n", None),
        ("a.txt", "hello\nworld\n", "text without columns"),
        ("a.txt", "Hello, you.\nPlease read.\n", "line 2: 1 cells where the header has 2"),
        ("a.csv", "", "empty; a table begins with"),
        ("a.zip", "id,label\n1,a\n", "an archive; unpack it"),
    ],
)
def test_a_file_is_a_table_or_it_is_said_why_not(
    tmp_path: Path, name: str, text: str, reason: str | None
) -> None:
    (tmp_path / name).write_text(text)
    found = open_table(tmp_path / name)
    assert may_be_table(name)
    if reason is None:
        assert isinstance(found, Table)
        assert found.values == {"id": ["1"], "label": ["a"]}
    else:
        assert reason in str(found)


def test_a_zip_with_one_table_is_a_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "id,label\n1,a\n")
    assert isinstance(open_table(tmp_path / "a.zip"), Table)


def test_other_kinds_have_a_reason() -> None:
    found = other_files(["x/a.json", "b.PKL", "c.png", "d.csv"])
    assert [*found] == ["x/a.json", "b.PKL"]
    assert "never opened" in found["b.PKL"]
