"""Which files are images."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comp.data.images.decode import read_image
from comp.data.index.file_match import list_files
from comp.data.index.image_files import image_suffix, stem_of, suffixes, told


def content_of(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(stream, kind)
    return stream.getvalue()


WRITTEN = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "WEBP",
    "TIFF",
    "PPM",
    "JPEG2000",
    *(["AVIF"] if ".avif" in suffixes() else []),
)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("name", ["x", "x.1", "IMG.dat"])
def test_an_image_is_known_by_its_beginning(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(content_of(kind))
    assert [found for found, _ in list_files(tmp_path).images] == [name]
    assert abs(int(read_image(tmp_path / name).mean()) - 90) <= 2


@pytest.mark.parametrize("name", ["x.ppm", "x.PGM", "x.jp2", "x.JFIF", "x.jpe", "x.TIFF", "x.npy"])
def test_every_suffix_of_a_decoder_is_one_of_an_image(tmp_path: Path, name: str) -> None:
    assert (image_suffix(name), stem_of(name)) == (name[1:], "x")


@pytest.mark.parametrize("name", ["x", "x.txt", "x.heic2", "v1.5"])
def test_other_names_keep_all_of_their_stem(name: str) -> None:
    assert (image_suffix(name), stem_of(name)) == ("", name)


def test_what_is_no_image_is_told_by_its_suffix(tmp_path: Path) -> None:
    tables = ("labels.txt", "train.csv.gz", "test.tsv.ZIP", "t.parquet", "sheet.xlsx")
    for name in ("a.xyz", "b.xyz", "c", ".hidden", "Thumbs.db", *tables, "__MACOSX", "x.zip"):
        (tmp_path / name).write_bytes(b"nothing")
    (tmp_path / "d.png").write_bytes(content_of("PNG"))
    listing = list_files(tmp_path)
    assert listing.others == ("a.xyz", "b.xyz", "c", "x.zip")
    assert told(listing.others) == "2 .xyz, 1 without suffix, 1 .zip"


def test_an_array_beside_its_picture_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content_of("PNG"))
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, np.zeros((8, 8), np.uint8))
    assert [name for name, _ in list_files(tmp_path).images] == ["a.png", "b.npy"]
