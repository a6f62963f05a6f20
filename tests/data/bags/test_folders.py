from pathlib import Path

from toys import paint

from comp.data.bags.folders import Folders
from comp.data.index.file_match import list_files


def lay(root: Path, *names: str) -> Folders:
    for number, name in enumerate(names):
        paint(root / name, 100, number, 4)
    return Folders(list_files(root))


def test_an_id_means_the_images_of_its_folder(tmp_path: Path) -> None:
    folders = lay(tmp_path, "a/1.png", "a/deep/2.png", "b/1.png", "loose.png")
    found, complaints = folders.expand(["b", "a"])
    assert complaints == []
    assert [(image.row, image.id, image.bag) for image in found] == [
        (0, "b/1.png", "b"),
        (1, "a/1.png", "a"),
        (1, "a/deep/2.png", "a"),
    ]
    assert found[2].path == tmp_path / "a/deep/2.png"


def test_a_folder_is_found_by_its_name_and_by_its_number(tmp_path: Path) -> None:
    folders = lay(tmp_path, "study/00017/1.png", "study/x/1.png")
    assert folders.find("17") == ["study/00017"] == folders.find("00017")
    assert folders.find("x") == ["study/x"]
    assert folders.known("x")
    assert not folders.known("y")


def test_an_image_has_the_folder_that_it_lies_in_as_bag(tmp_path: Path) -> None:
    folders = lay(tmp_path, "a/one.png", "a/two.png")
    found, _ = folders.expand(["a/two.png", "one"])
    assert [(image.id, image.bag) for image in found] == [("a/two.png", "a"), ("one", "a")]


def test_what_means_no_folder_or_several_is_a_complaint(tmp_path: Path) -> None:
    folders = lay(tmp_path, "a/x/1.png", "b/x/1.png", "c/1.png", "c/2.png", "loose.png")
    _, complaints = folders.expand(["x", "nothing", "c", "/c", "loose"])
    text = "\n".join(complaints)
    assert "the id 'x' may mean 'a/x', 'b/x'" in text
    assert "1 of 5 ids are neither a folder of images nor an image" in text
    assert "'c' and '/c' mean c" in text
    assert "1 images lie in no folder" in text
    assert "'loose'" in text
