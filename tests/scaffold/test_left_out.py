"""`comp init` names each table that it does not use, and each file that may hold one."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from scaffold_toys import images
from toys import write_csv

from comp.core.errors import DataError
from comp.scaffold.guess import guess

NAMES = [f"{n}.png" for n in range(6)]
ROWS = [["id", "label"], *[[name, "ab"[n % 2]] for n, name in enumerate(NAMES)]]


def notes(folder: Path) -> dict[str, str]:
    """The files that are not used, with the reason."""
    found = [note for note in guess(folder).notes if note.startswith("not used: ")]
    return dict(note.removeprefix("not used: ").split(": ", 1) for note in found)


def test_tables_that_are_not_used_are_named_with_the_reason(tmp_path: Path) -> None:
    images(str(tmp_path / "train"), NAMES)
    write_csv(tmp_path / "train.csv", ROWS)
    write_csv(tmp_path / "more.csv", ROWS[:4])
    write_csv(tmp_path / "meta.tsv", [["breed", "kilos"], ["x", "11"], ["y", "12"]])
    write_csv(tmp_path / "test.csv", ROWS)
    write_csv(tmp_path / "one.csv", [["id"], ["1.png"]])
    write_csv(tmp_path / "a/b/c/deep.csv", ROWS)
    (tmp_path / "torn.csv").write_text("a,b\n1\n")
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    (tmp_path / "labels.json").write_text("[]")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,label\n1.png,a\n2.png,b\n"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.png", "")
        archive.writestr("b.png", "")
    found = notes(tmp_path)
    assert found.keys() == {
        "more.csv", "meta.tsv", "test.csv", "one.csv", "a/b/c/deep.csv", "torn.csv", "notes.txt",
        "labels.json", "t.csv.gz", "all.zip",
    }  # fmt: skip
    assert found["more.csv"] == found["t.csv.gz"] == "train.csv was taken"
    assert found["meta.tsv"].startswith("no column names the images: 0% of 'breed' do")
    assert found["test.csv"].startswith("called after a test or validation part")
    assert found["one.csv"].startswith("1 rows and 1 columns")
    assert "line 2: 1 cells where the header has 2" in found["torn.csv"]
    assert found["all.zip"].startswith("an archive of 2 files")


def test_many_files_of_a_kind_are_one_line(tmp_path: Path) -> None:
    images(str(tmp_path / "train"), NAMES)
    write_csv(tmp_path / "train.csv", ROWS)
    for name in NAMES:
        (tmp_path / "train" / f"{name}.json").write_text("{}")
    ((name, reason),) = notes(tmp_path).items()
    assert name == "6 files such as train/0.png.json"
    assert reason.startswith("JSON, and not COCO's")


def test_where_nothing_is_recognised_they_are_named_too(tmp_path: Path) -> None:
    images(str(tmp_path / "all"), NAMES)
    write_csv(tmp_path / "train.csv", [["id", "label"], ["q", "a"], ["r", "b"]])
    (tmp_path / "torn.csv").write_text("a,b\n1\n")
    with pytest.raises(DataError) as caught:
        guess(tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["  - torn.csv", "  - train.csv"]
    assert "no column names the images: 0% of 'id' do, such as 'q', 'r'" in lines[2]


def test_a_table_without_a_header_gets_made_up_names(tmp_path: Path) -> None:
    images(str(tmp_path / "train"), NAMES)
    write_csv(tmp_path / "train.csv", ROWS[1:])
    found = guess(tmp_path)
    assert found.data["columns"] == ["id", "label"]
    assert (found.data["id"], found.data["target"]) == ("id", "label")
    assert found.doubts["columns"] == ["its first line is a row; these names are made up"]


def test_one_hot_columns_without_a_header_are_classes(tmp_path: Path) -> None:
    images(str(tmp_path / "train"), NAMES)
    cells = [
        [name, *("1" if n % 3 == k else "0" for k in range(3))] for n, name in enumerate(NAMES)
    ]
    write_csv(tmp_path / "train.csv", cells)
    found = guess(tmp_path)
    assert found.data["columns"] == ["id", "column_2", "column_3", "column_4"]
    assert found.data["target"] == ["column_2", "column_3", "column_4"]
    assert f"3 classes: column_2 {len(NAMES[0::3])}, column_3" in found.notes[0]
