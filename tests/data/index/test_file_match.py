"""An id finds its one file, however it is spelled, or is a complaint."""

import unicodedata
from pathlib import Path

import pytest
from layout_toys import files_of, lay, refusal, touch

from comp.data.index.file_match import list_files
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("x.jpg", "x.jpg"),
        ("x", "x.JPG"),
        ("v1.5", "v1.5.png"),
        ("7", "00007.jpg"),
        ("0", "000.png"),
        ("007", "007.jpg"),
        ("가", unicodedata.normalize("NFD", "가") + ".png"),
        (unicodedata.normalize("NFD", "가.png"), "가.png"),
        ("s/x", "s/x.png"),
        ("s/x.png", "s/x.png"),
        ("x", "deep/er/x.png"),
        ("x.png", "deep/er/x.png"),
        ("x.jpg", "x.JPG"),
        ("two words", "two words.webp"),
        ("IMG_1.jpg", "img_1.JPG"),
        ("IMG_1", "img_1.png"),
        ("img_1.png", "IMG_1.jpg"),
        ("S/IMG_1", "s/img_1.png"),
        ("IMG_1", "s/img_1.png"),
        ("É", unicodedata.normalize("NFD", "é") + ".png"),
    ],
)
def test_an_id_finds_its_file(tmp_path, name, file):
    index = read_index(lay(tmp_path, f"{name},a\nother,b\n", [file, "other.png"]), TASKS["binary"])
    assert files_of(index) == {name: Path(file).name, "other": "other.png"}


def test_an_exact_name_wins(tmp_path):
    data = lay(tmp_path, "x.jpg,a\n7,b\n", ["x.jpg", "x.png", "s/x.jpg", "7.png", "07.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"7": "7.png", "x.jpg": "x.jpg"}


@pytest.mark.parametrize(
    ("name", "images", "message"),
    [
        ("x", ["x.jpg", "x.png"], "the id 'x' may mean x.jpg or x.png"),
        ("x", ["x.jpg", "s/x.jpg"], "the id 'x' may mean"),
        ("007", ["7.jpg", "07.jpg"], "the id '007' may mean"),
        ("img.jpg", ["IMG.jpg", "Img.jpg"], "the id 'img.jpg' may mean IMG.jpg or Img.jpg"),
        ("img", ["IMG.jpg", "Img.png"], "the id 'img' may mean"),
        (unicodedata.normalize("NFC", "é"), ["\u00e9.png", "e\u0301.png"], "may mean"),
        ("a/x", ["x.jpg"], "1 of 2 ids have no image"),
        ("x", [".x.jpg", "__MACOSX/x.jpg"], "1 of 2 ids have no image"),
        ("x", ["x.txt"], "1 of 2 ids have no image"),
        ("../out", [], "leads out of the folder"),
        ("/etc/x.png", [], "leads out of the folder"),
        ("", [], "line 2: the id '' is empty"),
        ("x\0y", [], "control character"),
        ('"x\ny"', [], "line 2: the id 'x\\ny' holds a line break"),
        ("x" * 5000, [], "has 5000 characters"),
    ],
)
def test_an_id_without_one_file_is_a_complaint(tmp_path, name, images, message):
    touch(tmp_path, "out.png")
    assert message in refusal(lay(tmp_path / "in", f"{name},a\nother,b\n", [*images, "other.png"]))


def test_two_ids_of_one_file_are_a_complaint(tmp_path):
    message = refusal(lay(tmp_path, "7,a\n007,b\n", ["007.png"]))
    assert "the ids '7' and '007' both mean" in message


def test_a_link_out_of_the_data_is_not_followed(tmp_path):
    touch(tmp_path, "secret.png")
    data = lay(tmp_path / "in", "x,a\ny,b\n", ["y.png"])
    (tmp_path / "in/train/x.png").symlink_to(tmp_path / "secret.png")
    assert "links that lead out of the data are not followed: 'x.png'" in refusal(data)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("x.jpg", "x.JPG", ["another suffix"]),
        ("x", "X.png", ["another letter case"]),
        ("s/x.png", "s/X.png", ["another letter case"]),
        ("x.jpg", "X.png", ["another suffix", "another letter case"]),
        ("é", "e\u0301.png", ["another Unicode form"]),
        ("7", "007.png", []),
        ("x", "x.png", []),
    ],
)
def test_another_spelling_is_told(tmp_path, capsys, name, file, message):
    read_index(lay(tmp_path, f"{name},a\ny.png,b\n", [file, "y.png"]), TASKS["binary"])
    bare = Path(file).name
    lines = [f"1 ids have {what} than their file: {name!r} is {bare}" for what in message]
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{tmp_path / 'train'}: {line}" for line in lines]


def test_files_that_differ_in_case_are_two_images(tmp_path):
    data = lay(tmp_path, "x,a\nX,b\n", ["x.png", "X.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"x": "x.png", "X": "X.png"}


def test_the_suffix_goes_before_the_case(tmp_path):
    data = lay(tmp_path, "y.jpg,a\nz,b\n", ["Y.jpg", "Y.png", "z.png"])
    assert files_of(read_index(data, TASKS["binary"])) == {"y.jpg": "Y.jpg", "z": "z.png"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("train\\a\\x.png", "a/x.png"),
        (".\\train\\x.png", "x.png"),
        ("./train/x.png", "x.png"),
        ("train/x.png", "x.png"),
        ("./train/../train/x", "x.png"),
        ("a\\x.png", "a/x.png"),
        ("C:\\Users\\Kim\\data\\train\\x.png", "x.png"),
        ("/kaggle/input/letters/train/a/x.png", "a/x.png"),
        ("/kaggle/input/letters/all/x.png", "x.png"),
        ("../input/letters/train/x.jpg", "x.png"),
        ("file:///data/train/two%20words.png", "two words.png"),
        ("https://host/train/x.png?raw=1", "x.png"),
        ("two%20words.png", "two words.png"),
        ("/data/TRAIN/X.PNG", "x.png"),
        ("1.0", "0001.png"),
        ("7.00", "7.png"),
    ],
)
def test_a_path_of_elsewhere_means_the_file_with_that_end_and_it_is_told(
    tmp_path, capsys, name, file
):
    index = read_index(lay(tmp_path, f"{name},a\nother,b\n", [file, "other.png"]), TASKS["binary"])
    assert files_of(index)[name] == Path(file).name
    assert (f"{name!r} is " in capsys.readouterr().err) == (name != "train/x.png")


def test_of_files_with_one_name_the_longest_end_is_meant(tmp_path):
    table = "/kaggle/input/train/a/x.png,a\n/kaggle/input/train/b/x.png,b\n"
    index = read_index(lay(tmp_path, table, ["a/x.png", "b/x.png"]), TASKS["binary"])
    assert [path.parent.name for path in index.paths] == ["a", "b"]
    assert "may mean a/x.png or b/x.png" in refusal(
        lay(tmp_path, "/kaggle/c/x.png,a\ny,b\n", ["a/x.png", "b/x.png", "y.png"])
    )


@pytest.mark.parametrize("name", ["/home/a/test/x.png", "test/x.png", "test\\x.png"])
def test_a_path_of_another_folder_of_the_data_is_not_the_file_of_this_one(tmp_path, name):
    touch(tmp_path, "test/x.png")
    message = refusal(lay(tmp_path, f"{name},a\ny,b\n", ["x.png", "y.png"]))
    assert f"1 of 2 ids have no image in {tmp_path / 'train'}: {name!r}" in message


def test_the_files_of_a_folder_of_a_listing(tmp_path):
    touch(tmp_path, "a/b/x.png", "ab/x.png", "x.png")
    whole = list_files(tmp_path)
    assert [name for name, _ in whole.within("a").files] == ["b/x.png"]
    assert whole.within(".") is whole
    assert whole.within("ab").find("ab/x.png") == [tmp_path / "ab/x.png"]
