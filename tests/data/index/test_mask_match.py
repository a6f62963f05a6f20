"""Which mask file belongs to an image."""

from pathlib import Path

import pytest
from layout_toys import touch

from comp.data.index.file_match import list_files
from comp.data.index.mask_match import apart, match_masks


def test_an_affix_joins_images_and_masks_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "a_mask.png", "b_mask.png")
    found, complaints = match_masks(["a.jpg", "b.jpg"], list_files(tmp_path))
    assert {name: path.name for name, path in found.items()} == {
        "a.jpg": "a_mask.png",
        "b.jpg": "b_mask.png",
    }
    assert complaints == []
    assert "joined by their names: <name> and <name>_mask" in capsys.readouterr().err


def test_the_same_name_comes_before_an_affix(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png", "a_mask.png", "b_mask.png")
    found, _ = match_masks(["a.jpg", "b.jpg"], list_files(tmp_path))
    assert [path.name for path in found.values()] == ["a.png", "b.png"]


def test_an_image_without_a_mask_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a_mask.png")
    _, complaints = match_masks(["a.jpg", "b.jpg"], list_files(tmp_path))
    assert "2 of 2 ids have no image" in complaints[0]


def test_masks_beside_their_images_are_set_apart(tmp_path: Path) -> None:
    touch(tmp_path, "s/a.png", "s/a_mask.png", "b.png", "b_mask.png")
    images, masks = apart(list_files(tmp_path))
    assert [name for name, _ in images.images] == ["b.png", "s/a.png"]
    assert [name for name, _ in masks.images] == ["b_mask.png", "s/a_mask.png"]
