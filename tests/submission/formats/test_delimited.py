"""A table held against its sample: columns, rows, ids, and the bytes around the cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from submission_toys import sample_of

from comp.core.errors import SubmissionError
from comp.data.index.tables import read_table
from comp.submission.formats.delimited import form_warnings, read_delimited
from comp.submission.sample import sample_of as sample_in

SAMPLE = "id,a,b\n007,0,0\n003,0,0\n"
WHOLE = {"id": ("007", "003"), "a": ("1", "0"), "b": ("0", "1")}


def read(
    folder: Path, content: str | bytes, sample: str | bytes = SAMPLE
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns and complaints of a file with this content."""
    path = folder / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path, sample_of(folder, sample))


@pytest.mark.parametrize(
    "content",
    [
        "id,a,b\n007,1,0\n003,0,1\n",
        "id,a,b\r\n007,1,0\r\n003,0,1\r\n",
        "id,a,b\r007,1,0\r003,0,1\r",
        "id,a,b\n007,1,0\n003,0,1",
        "id,a,b\n007,1,0\n003,0,1\n\n\n",
        '"id",a,b\n"007",1,0\n003,0,"1"\n',
        '"id",a,b\n"007",1,0\n003,0,"1"\n\n\n',
        "\ufeffid,a,b\n007,1,0\n003,0,1\n",
    ],
    ids=[
        "plain",
        "crlf",
        "cr",
        "no final newline",
        "blank lines",
        "quotes",
        "quotes, blank lines",
        "bom",
    ],
)
def test_a_table_is_read_however_its_lines_end_and_its_cells_are_quoted(
    tmp_path: Path, content: str
) -> None:
    assert read(tmp_path, content) == (WHOLE, [])


def test_the_delimiter_and_the_encoding_are_those_of_the_sample(tmp_path: Path) -> None:
    sample = "id\t정답\n사진\t0\n".encode("cp949")
    assert read(tmp_path, "id\t정답\n사진\t1\n".encode("cp949"), sample) == (
        {"id": ("사진",), "정답": ("1",)},
        [],
    )
    columns, complaints = read(tmp_path, "id\t정답\n사진\t1\n".encode(), sample)
    assert columns == {}
    assert [line[:17] for line in complaints] == ["not a cp949 table"]


@pytest.mark.parametrize(
    ("content", "complaints"),
    [
        ("id,a\n007,1\n003,0\n", ["Required column 'b' could not be found"]),
        ("id,a,b,x\n007,1,0,0\n003,0,1,0\n", ["Unexpected Column: 'x'"]),
        ("id,a,b,b\n007,1,0,0\n003,0,1,1\n", ["column 'b' is there twice"]),
        (
            "id,b,a\n007,1,0\n003,0,1\n",
            ["columns in another order: 'id', 'b', 'a'; wanted 'id', 'a', 'b'"],
        ),
        (
            "id,a,b\n007,1,0\n",
            ["Submission must have 2 rows; it has 1", "1 ids missing: '003'"],
        ),
        (
            "id,a,b\n007,1,0\n9,0,0\n9,0,0\n",
            [
                "Submission must have 2 rows; it has 3",
                "1 ids missing: '003'",
                "1 ids that are not in the sample: '9'",
                "1 ids repeated: '9'",
            ],
        ),
        (
            "id,a,b\n003,0,1\n007,1,0\n",
            ["2 rows are not in the order of the sample: '003', '007'"],
        ),
    ],
)
def test_what_differs_from_the_sample_is_named_and_the_columns_are_kept(
    tmp_path: Path, content: str, complaints: list[str]
) -> None:
    columns, found = read(tmp_path, content)
    assert found == complaints
    assert columns.keys() == {*content.split("\n")[0].split(",")}


@pytest.mark.parametrize("quote", ["", '"'])
def test_rows_with_too_few_or_too_many_cells_leave_no_columns(tmp_path: Path, quote: str) -> None:
    content = f"id,a,b\n007,1\n{quote}003{quote},0,1,1\n"
    assert read(tmp_path, content) == ({}, ["2 rows without 3 cells: rows 2, 3"])


def test_an_empty_file_lacks_every_column(tmp_path: Path) -> None:
    columns, complaints = read(tmp_path, "")
    assert columns == {}
    assert complaints[:3] == [f"Required column {n!r} could not be found" for n in ("id", "a", "b")]
    assert complaints[3] == "Submission must have 2 rows; it has 0"


def test_columns_that_are_copied_from_the_sample_must_be_as_there(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,code,runs\np,1,\nq,2,\n")
    sample = sample_in(read_table(path), "id", ["code"])
    mine = tmp_path / "mine.csv"
    mine.write_text("id,code,runs\np,1,1 2\nq,1,\n")
    assert read_delimited(mine, sample)[1] == ["column 'code' is not as in the sample"]
    mine.write_text("id,code,runs\np,1,1 2\nq,2,\n")
    assert read_delimited(mine, sample)[1] == []


BOM, CRLF = "\ufeffid,a,b\n007,0,0\n003,0,0\n", "id,a,b\r\n007,0,0\r\n003,0,0\r\n"
LINES = "lines do not end as in the sample ({!r})"


@pytest.mark.parametrize(
    ("content", "sample", "warnings"),
    [
        (SAMPLE, SAMPLE, []),
        (BOM, BOM, []),
        (BOM, SAMPLE, ["the file has a byte order mark, the sample has none"]),
        (SAMPLE, BOM, ["the file has no byte order mark, the sample has one"]),
        (CRLF, SAMPLE, [LINES.format("\n")]),
        (SAMPLE, CRLF, [LINES.format("\r\n")]),
    ],
)
def test_bytes_that_differ_around_the_cells_are_warnings(
    tmp_path: Path, content: str, sample: str, warnings: list[str]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content.encode())
    assert form_warnings(path, sample_of(tmp_path, sample)) == warnings
    assert read_delimited(path, sample_of(tmp_path, sample))[1] == []


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, SAMPLE)
    with pytest.raises(SubmissionError, match=r"mine\.csv: no such file"):
        read_delimited(tmp_path / "mine.csv", sample)
