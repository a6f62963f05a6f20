from pathlib import Path

from toys import write_csv

from comp.data.index.sample_rows import SampleRows, read_sample_rows, row_complaints
from comp.data.index.tables import read_table


def rows_of(rows: list[list[str]], known: set[str]) -> SampleRows:
    write_csv(Path("sample.csv"), rows)
    table = read_table(Path("sample.csv"))
    return read_sample_rows(table, table.columns[0], lambda name: name in known)


def test_image_and_class_may_stand_in_one_column(workspace: Path) -> None:
    found = rows_of([["ImageId_ClassId", "EncodedPixels"], ["a_b.jpg_1", ""], ["a_b.jpg_2", ""]],
                  {"a_b.jpg"})  # fmt: skip
    assert found == SampleRows(("a_b.jpg", "a_b.jpg"), ("1", "2"), joined=True)
    assert found.ids == ("a_b.jpg",)


def test_or_in_two(workspace: Path) -> None:
    found = rows_of(
        [["ImageId", "ClassId", "EncodedPixels"], ["b", "1", ""], ["a", "2", ""]], set()
    )
    assert found == SampleRows(("b", "a"), ("1", "2"))


def test_ids_with_an_underscore_that_are_images_are_not_cut(workspace: Path) -> None:
    found = rows_of([["ImageId", "EncodedPixels"], ["a_1", ""], ["a_2", ""]], {"a_1", "a_2"})
    assert found == SampleRows(("a_1", "a_2"), (None, None))


def test_one_missing_image_cuts_no_ids(workspace: Path) -> None:
    found = rows_of([["ImageId", "EncodedPixels"], ["a_1", ""], ["b", ""]], {"a_1"})
    assert found == SampleRows(("a_1", "b"), (None, None))


def test_rows_that_are_there_twice_and_unknown_classes_are_told() -> None:
    rows = SampleRows(("a", "a", "b"), ("1", "1", "9"))
    assert row_complaints(rows, ("1", "2")) == [
        "1 images and classes have several rows: 'a 1'",
        "classes that are unknown: '9'; known: '1', '2'",
    ]
    assert row_complaints(SampleRows(("a", "a"), ("1", "2")), ("1", "2")) == []
