"""What lies in a folder: its tables and its folders of images."""

from pathlib import Path

from scaffold_toys import images
from toys import write_csv

from comp.scaffold.folder import best_folder, image_folders, is_test, list_folder, sample_table


def test_tables_and_folders_of_images_are_listed(tmp_path: Path) -> None:
    images(str(tmp_path / "a/b"), ["1.png", "2.png"])
    write_csv(tmp_path / "train.csv", [["id"], ["1"]])
    write_csv(tmp_path / "my_submission.csv", [["id"], ["1"]])
    write_csv(tmp_path / "sample.csv", [["id"], ["1"]])
    write_csv(tmp_path / "a/b/c/deep.csv", [["id"], ["1"]])
    (tmp_path / "torn.csv").write_text("a,b\n1\n")
    place = list_folder(tmp_path)
    assert place.images == {"a/b": 2}
    assert [*place.tables] == ["my_submission.csv", "sample.csv", "train.csv"]
    assert place.doubts[0].startswith("a table was ignored:")
    assert sample_table(place) == "sample.csv"
    assert image_folders(place) == [".", "a", "a/b"]


def test_the_folder_with_most_of_the_names_wins(tmp_path: Path) -> None:
    images(str(tmp_path / "one"), ["1.png", "2.png"])
    images(str(tmp_path / "two"), ["2.png", "3.png", "4.png"])
    place = list_folder(tmp_path)
    assert best_folder(place, ["2", "3"], "train") == ("two", 1.0)
    assert best_folder(place, ["1", "2", "9", "8"], "train") == ("one", 0.5)


def test_names_of_test_and_validation_parts() -> None:
    assert all(map(is_test, ("test", "x/Test_images", "val", "data/validation.csv")))
    assert not any(map(is_test, ("train", "latest", "contest/images")))
