"""Tables of boxes: joined by id, blank for the whole image, refused where they cannot be."""

from pathlib import Path

import pytest

from comp.core.errors import DataError
from comp.data.images.boxes import with_boxes
from comp.data.index.index import Index

INDEX = Index(("a.png", "b.png"), (Path("a.png"), Path("b.png")), ("x", "y"))


def table(folder: Path, *rows: str, header: str = "id,left,top,right,bottom") -> Path:
    path = folder / "boxes.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return path


def test_boxes_are_joined_by_id_with_or_without_a_suffix(tmp_path: Path) -> None:
    path = table(tmp_path, "b,,,,", "q.png,0,0,1,1", "a.png,0.1,0.2,0.5,0.9")
    assert with_boxes(INDEX, path).boxes == ((0.1, 0.2, 0.5, 0.9), (0, 0, 1, 1))
    assert with_boxes(INDEX, path).part([1]).boxes == ((0, 0, 1, 1),)


def test_other_boxes_are_other_contents(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in INDEX.ids:
        (folder / name).write_bytes(b"x")
    index = Index(INDEX.ids, tuple(folder / name for name in INDEX.ids), INDEX.classes)
    one = with_boxes(index, table(tmp_path, "a,,,,", "b,,,,"))
    other = with_boxes(index, table(tmp_path, "a,0,0,0.5,1", "b,,,,"))
    digests = {i.contents(tmp_path / "cache") for i in (index, one, other)}
    assert len(digests) == 3
    assert one.fingerprint == other.fingerprint == index.fingerprint  # a plan stays what it is


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("a,0,0,1,1",), "no box for 1 of 2 images: 'b.png'"),
        (("a,0,0,1,1", "b,0.5,0,0.5,1"), "line 3: 'b': 0.5, 0, 0.5, 1 is no box within 0 to 1"),
        (("a,0,0,1,1", "b,0,0,200,100"), "line 3: 'b': 0, 0, 200, 100 is no box"),
        (("a,0,0,1,1", "b,0,,1,1"), "line 3: 'b'"),
        (("a,0,0,1,1", "a,0,0,1,1"), "line 3: 'a' has two boxes"),
    ],
)
def test_boxes_that_cannot_be_are_refused(
    tmp_path: Path, rows: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        with_boxes(INDEX, table(tmp_path, *rows))


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'left'.*has the columns id, left, top, right"):
        with_boxes(INDEX, table(tmp_path, "a,1", header="id,x"))


def test_a_part_tells_names_apart_that_are_in_both(tmp_path: Path) -> None:
    rows = ("a,train,0,0,0.5,1", "b,train,,,,", "a,test,0.5,0,1,1", "b,test,,,,")
    path = table(tmp_path, *rows, header="id,part,left,top,right,bottom")
    assert with_boxes(INDEX, path).boxes == ((0, 0, 0.5, 1), (0, 0, 1, 1))
    assert with_boxes(INDEX, path, "test").boxes == ((0.5, 0, 1, 1), (0, 0, 1, 1))
