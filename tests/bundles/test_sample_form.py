"""The form of a sample submission, for ids that nobody has seen yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.bundles.sample_form import id_of, keep_sample, read_ids, sample_for
from comp.config.schema import DataConfig
from comp.core.errors import DataError

DATA = DataConfig(root=".", id="id")


def again(tmp_path: Path, text: bytes, seen: set[str], ids: list[str], spatial: bool) -> bytes:
    """A sample for new ids in the form of a visible one, read from the bundle's copy alone."""
    path = tmp_path / "visible.csv"
    path.write_bytes(text)
    form = keep_sample(path, DATA, seen.__contains__, tmp_path, spatial=spatial)
    path.unlink()
    return sample_for(ids, form, DATA, ("a", "b"), tmp_path / "new.csv").read_bytes()


@pytest.mark.parametrize(
    ("text", "seen", "spatial", "wanted"),
    [
        (b"id,label\r\nx1.png,0\r\nx2.png,0\r\n", {"x1.png"}, False,
         b"id,label\r\nn.png,0\r\nm.png,0\r\n"),
        (b"id;label\nx1;cat\nx2;dog", {"x1", "x2"}, False, b"id;label\nn.png;cat\nm.png;dog"),
        (b"\xef\xbb\xbfid,p\nx_1_a,0.5\nx_1_b,0.5\n", {"x_1"}, False,
         b"\xef\xbb\xbfid,p\nn.png_a,0.5\nn.png_b,0.5\nm.png_a,0.5\nm.png_b,0.5\n"),
        (b"id,class,rle\nx,1,\nx,2,\ny,1,\ny,2,\n", {"x", "y"}, True,
         b"id,class,rle\nn.png,1,\nn.png,2,\nm.png,1,\nm.png,2,\n"),
        (b"id,rle\nx.png_1,-1\nx.png_2,-1\n", {"x.png"}, True,
         b"id,rle\nn.png_1,-1\nn.png_2,-1\nm.png_1,-1\nm.png_2,-1\n"),
    ],
)  # fmt: skip
def test_new_ids_get_the_rows_of_the_first_image(
    tmp_path: Path, text: bytes, seen: set[str], spatial: bool, wanted: bytes
) -> None:
    assert again(tmp_path, text, seen, ["n.png", "m.png"], spatial) == wanted


def test_a_large_sample_is_kept_in_part_with_all_its_texts(tmp_path: Path) -> None:
    rows = b"".join(b"x%d,%s\n" % (n, b"rare" if n == 900 else b"common") for n in range(1000))
    text = b"id,label\n" + rows
    found = again(tmp_path, text, {"x0"}, ["n", "m"], False)
    assert (tmp_path / "sample.csv").stat().st_size < 200
    assert found == b"id,label\nn,common\nm,rare\n"


def test_without_a_sample_there_is_a_plain_one(tmp_path: Path) -> None:
    form = keep_sample(None, DATA, bool, tmp_path, spatial=False)
    assert form.path is None
    path = sample_for(["n"], form, DATA, ("a", "b"), tmp_path / "new.csv")
    assert path.read_bytes() == b"id,label\nn,\n"
    assert id_of("n.png", form) == "n.png"


def test_ids_are_lines_or_a_column(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x1\n\n x2 \n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("other,id\n1,x1\n2,x2\n", encoding="utf-8")
    assert read_ids(tmp_path / "a.txt", DATA) == read_ids(tmp_path / "a.csv", DATA) == ["x1", "x2"]
    (tmp_path / "b.txt").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no ids in it"):
        read_ids(tmp_path / "b.txt", DATA)
