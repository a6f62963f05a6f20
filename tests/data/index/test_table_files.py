"""What a file holds decides how it is read, not what it is called."""

import bz2
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pytest

from comp.core.errors import DataError
from comp.data.index import table_files
from comp.data.index.tables import read_table

TEXT = b"id,label\n00001,NA\n00002,None\n"
VALUES = {"id": ["00001", "00002"], "label": ["NA", "None"]}


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return out.getvalue()


def parquet(frame: pd.DataFrame, **options) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, **options)
    return out.getvalue()


def workbook(*sheets: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    with pd.ExcelWriter(out, engine="openpyxl") as writer:
        for number, sheet in enumerate(sheets):
            sheet.to_excel(writer, sheet_name=f"s{number}", index=False)
    return out.getvalue()


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_table(path)
    return str(caught.value)


FORMS = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zip": zipped(train_csv=TEXT),
    "zip with what macOS adds": zipped(train_csv=TEXT, **{"MACOSX__.train_csv": b"x"}),
    "Parquet": parquet(pd.DataFrame(VALUES)),
    "a workbook": workbook(pd.DataFrame(VALUES)),
    "tabs": TEXT.replace(b",", b"\t"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["train.csv", "train.bin"])
def test_the_first_bytes_decide(tmp_path, form, name):
    (tmp_path / name).write_bytes(FORMS[form])
    table = read_table(tmp_path / name)
    assert table.values == VALUES
    assert table.lines == (2, 3)
    assert table.path == tmp_path / name


def test_the_form_is_that_of_the_packed_text(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress("번호;a\r\n1;2".encode("cp949"), mtime=0))
    form = read_table(tmp_path / "t.csv.gz").form
    assert (form.encoding, form.delimiter, form.newline) == ("cp949", ";", "\r\n")
    assert form.header == "번호;a".encode("cp949")


def test_numbers_become_the_text_that_a_csv_would_hold(tmp_path):
    frame = pd.DataFrame(
        {
            "id": ["00001", "00002"],
            "count": pd.array([1, None], dtype="Int64"),
            "share": [0.5, float("nan")],
            "yes": [1, 0],
        }
    )
    wanted = {"id": ["00001", "00002"], "count": ["1", ""], "share": ["0.5", ""], "yes": ["1", "0"]}
    for name, content in (("t.parquet", parquet(frame)), ("t.xlsx", workbook(frame))):
        (tmp_path / name).write_bytes(content)
        assert read_table(tmp_path / name).values == wanted


def test_an_unnamed_index_of_pandas_is_no_column(tmp_path):
    frame = pd.DataFrame(VALUES, index=[5, 9])
    (tmp_path / "t.parquet").write_bytes(parquet(frame, index=True))
    assert read_table(tmp_path / "t.parquet").columns == ("id", "label")
    (tmp_path / "u.parquet").write_bytes(parquet(frame.set_index("id")))
    assert set(read_table(tmp_path / "u.parquet").columns) == {"id", "label"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FORMS["gzip"][:-9], "cannot be unpacked"),
        (FORMS["bzip2"][:-9], "cannot be unpacked"),
        (FORMS["xz"][:-9], "cannot be unpacked"),
        (b"\n<!DOCTYPE HTML><html>log in", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (FORMS["zip"][:-30], "cannot be unpacked"),
        (zipped(a_csv=TEXT, b_csv=TEXT), "an archive of 2 files ('a.csv', 'b.csv')"),
        (zipped(), "an archive of 0 files (none)"),
        (FORMS["Parquet"][:-20], "a Parquet file that cannot be read"),
        (parquet(pd.DataFrame({"id": ["1"], "box": [[1, 2]]})), "column 'box' holds"),
        (parquet(pd.DataFrame({"id": ["1"], "image": [b"x"]})), "column 'image' holds bytes"),
        (workbook(pd.DataFrame(VALUES), pd.DataFrame(VALUES)), "2 sheets that hold cells"),
        (b"\xd0\xcf\x11\xe0old", "save it as .xlsx or .csv"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    (tmp_path / "train.csv").write_bytes(content)
    text = refusal(tmp_path / "train.csv")
    assert message in text
    assert str(tmp_path / "train.csv") in text


@pytest.mark.parametrize(("form", "library"), [("Parquet", "pyarrow"), ("a workbook", "openpyxl")])
def test_a_missing_library_is_named_with_the_line_that_installs_it(
    tmp_path, monkeypatch, form, library
):
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda _: None)
    (tmp_path / "t").write_bytes(FORMS[form])
    assert f"`pip install {library}`" in refusal(tmp_path / "t")
