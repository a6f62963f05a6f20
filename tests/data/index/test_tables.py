"""Tables are text; what is not a table is refused with its line."""

from pathlib import Path

import pytest

from comp.core.errors import DataError
from comp.data.index.tables import make_table, read_table, write_table


def write(tmp_path, content):
    path = tmp_path / "train.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_table(path)
    return str(caught.value)


def test_cells_stay_text(tmp_path):
    table = read_table(write(tmp_path, 'id,a\n00001,NA\nNone,1.0\n" x","q,""r"""\n'))
    assert table.values == {"id": ["00001", "None", " x"], "a": ["NA", "1.0", 'q,"r"']}
    assert table.columns == ("id", "a")
    assert table.lines == (2, 3, 4)
    assert len(table) == 3


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"id,a\n1,2\n", ("utf-8", False, "\n", True, ",")),
        (b"\xef\xbb\xbfid;a\r\n1;2", ("utf-8", True, "\r\n", False, ";")),
        (b"id\ta\n1\t2\n\n", ("utf-8", False, "\n", True, "\t")),
        (b'"id,x";a\n1;2\n', ("utf-8", False, "\n", True, ";")),
        ("id,이름\n1,가\n".encode("cp949"), ("cp949", False, "\n", True, ",")),
        (b"id\n1\n", ("utf-8", False, "\n", True, ",")),
    ],
)
def test_the_form_of_the_file_is_kept(tmp_path, content, form):
    table = read_table(write(tmp_path, content))
    read = table.form
    assert (read.encoding, read.bom, read.newline, read.final_newline, read.delimiter) == form
    assert len(table) == 1


def test_korean_is_read_in_both_encodings(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "cp949"):
        table = read_table(write(tmp_path, "번호,라벨\r\n00001,가\r\n".encode(encoding)))
        assert table.values == {"번호": ["00001"], "라벨": ["가"]}


def test_blank_lines_at_the_end_are_no_rows(tmp_path):
    assert len(read_table(write(tmp_path, "id,a\n1,2\n\n \n\n"))) == 1


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    assert read_table(write(tmp_path, "id,a\n")).values == {"id": [], "a": []}


def test_all_ragged_rows_are_told_with_their_lines(tmp_path):
    message = refusal(write(tmp_path, 'id,a\n1,"x\ny"\n2\n\n3,4,5\n'))
    assert "line 4: 1 cells where the header has 2: '2'" in message
    assert "line 6: 3 cells where the header has 2: '3', '4', '5'" in message


def test_an_open_quote_is_told_with_its_line(tmp_path):
    assert "train.csv: line 3:" in refusal(write(tmp_path, 'id,a\n1,2\n2,"x\n3,4\n'))


def test_column_names_must_be_there_and_differ(tmp_path):
    message = refusal(write(tmp_path, "id,,id\n1,2,3\n"))
    assert "column 2 of 3 has no name" in message
    assert "the column name 'id' is repeated" in message


def test_what_is_no_text_is_refused(tmp_path):
    assert "holds bytes that are no text" in refusal(write(tmp_path, b"id\0\0,\0\0\0x\0"))
    assert "neither UTF-8 nor text in" in refusal(write(tmp_path, b"id,\x81\xff\x81\xff\n1,2\n"))
    assert "empty; a table begins with" in refusal(write(tmp_path, b""))


def test_a_missing_file_names_the_nearest_one(tmp_path):
    write(tmp_path, "id\n")
    assert f"Did you mean {tmp_path / 'train.csv'}?" in refusal(tmp_path / "trian.csv")
    assert "does not exist either" in refusal(tmp_path / "no" / "train.csv")
    assert "is a folder, not a file" in refusal(tmp_path)


def test_a_missing_column_names_the_nearest_one(tmp_path):
    table = read_table(write(tmp_path, "index,label\n1,2\n"))
    with pytest.raises(DataError, match=r"no column 'lable'.*Did you mean 'label'"):
        table.column("lable")
    assert table.column("label") == ["2"]


def test_a_table_is_written_as_it_is_read(tmp_path):
    rows = [("00001", "a,b"), ('q"r', "x\ny"), ("", "NA")]
    write_table(tmp_path / "t.csv", ("id", "a"), rows)
    assert (tmp_path / "t.csv").read_bytes() == b'id,a\n00001,"a,b"\n"q""r","x\ny"\n,NA\n'
    assert list(zip(*read_table(tmp_path / "t.csv").values.values(), strict=True)) == rows


def test_columns_are_replaced_added_and_chosen():
    table = make_table({"id": ["1", "2"], "a": ["x", "y"]}, Path("t.csv"))
    assert table.lines == (2, 3)
    more = table.but(a=["0", "1"], b=["", "z"])
    assert more.values == {"id": ["1", "2"], "a": ["0", "1"], "b": ["", "z"]}
    assert more.only("b", "id").columns == ("b", "id")
    assert table.values["a"] == ["x", "y"]
