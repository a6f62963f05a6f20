"""Rows, lines and cells of a text, whatever its newlines and quotes are."""

from pathlib import Path

import pytest

from comp.core.errors import DataError
from comp.data.index.encodings import decode
from comp.data.index.table_text import TextForm, csv_text, delimiter_of, parse

HERE = Path("t.csv")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_newline_of_any_system_ends_a_row(newline):
    rows = parse(HERE, newline.join(["id,a", "1,x", "2,y", "", ""]), ",")
    assert rows.columns == ("id", "a")
    assert rows.lines.tolist() == [2, 3]
    assert rows.frame().to_numpy().tolist() == [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize("quote", ["", '"'])
def test_rows_are_counted_alike_with_and_without_quotes(quote):
    rows = parse(HERE, f"id,a\n{quote}1{quote},2\n3\n\n4,5,6\n \n", ",")
    assert rows.lines.tolist() == [2, 3, 5]
    assert [line[:15] for line in rows.ragged] == [f"line {n}: {k} cells" for n, k in
                                                   ((3, 1), (5, 3))]  # fmt: skip


def test_a_line_is_where_a_row_begins():
    rows = parse(HERE, 'id,a\n1,"x\ny"\n2,z\n', ",")
    assert rows.lines.tolist() == [2, 4]
    assert rows.frame()[rows.columns[1]].tolist() == ["x\ny", "z"]


def test_letters_that_look_like_newlines_are_none():
    rows = parse(HERE, "id,a\n1,x\u2028y\x0bz\n", ",")
    assert rows.frame().to_numpy().tolist() == [["1", "x\u2028y\x0bz"]]


def test_the_delimiter_with_the_most_names_wins():
    assert [delimiter_of(text) for text in ("a;b,c;d", "a\tb", "a", '"a;b";"c"')] == list(";\t,;")


def test_lines_with_an_image_each_are_cut_at_spaces():
    assert delimiter_of("a/1.png 3\nb/2.jpg 0\n") == " "
    assert delimiter_of("1 images/a.png 0 1\n2 images/b.png 1 0\n") == " "
    assert delimiter_of("image label\na.png 1\nb.png 2\n") == " "
    # a name may hold a space, and so may the only column
    assert delimiter_of("file name\nimg 1.png\nnew img 2.png\n") == ","
    assert delimiter_of("label\nred cat\nblue dog\n") == ","
    assert delimiter_of("a 1.png,3\nb 2.png,0\n") == ","


def test_the_header_is_kept_as_bytes():
    form = TextForm.of(decode(HERE, "\ufeffid,이름\r\n1,2\r\n".encode()), ",")
    assert form.header == "\ufeffid,이름".encode()
    assert (form.newline, form.bom, form.encoding) == ("\r\n", True, "utf-8")


def test_an_empty_text_is_no_table():
    with pytest.raises(DataError, match="empty; a table begins with"):
        parse(HERE, " \n\n", ",")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_inside_a_cell_is_quoted_and_read_back(newline):
    rows = [["id", "a"], ["1", "x\ry"], ["2", "x\ny"], ["3", 'q"r'], ["4", "plain"], ["5", ""]]
    text = csv_text(rows, newline=newline)
    assert [*map(list, parse(HERE, text, ",").frame().to_numpy())] == rows[1:]
    assert text.endswith(f"4,plain{newline}5,{newline}")
