"""What a folder seems to be, with its image size and what is not certain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scaffold_toys import images, new_config
from toys import SHARED, paint, write_csv

from comp.core.errors import DataError
from comp.data.layouts.layouts import LAYOUTS
from comp.scaffold import guess as module
from comp.scaffold.guess import guess


def test_profiles_and_coco_are_recognised(tmp_path: Path) -> None:
    head = ["id", "gender", "race", "age", "path"]
    write_csv(tmp_path / "toy/train/train.csv", [head, ["1", "male", "Asian", "20", "1_male"]])
    images(str(tmp_path / "toy/train/images/1_male"), ["mask1.png"])
    assert guess(tmp_path / "toy").data["layout"] == "profiles"
    images(str(tmp_path / "car/train"), ["0.png", "1.png"])
    tree = {"images": [{"file_name": "0.png"}, {"file_name": "1.png"}], "annotations": []}
    outlines = tmp_path / "car/outlines.json"
    outlines.write_text(json.dumps({**tree, "categories": [{"id": 1}]}), encoding="utf-8")
    found = guess(tmp_path / "car")
    assert (found.data["layout"], found.data["train_images"]) == ("coco", "train")
    assert found.data["annotations"] == ["outlines.json"]
    assert "COCO: 2 images, 0 outlines of 0 classes" in found.notes


def test_a_layout_that_cannot_be_read_is_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images(str(tmp_path), ["good/1.png", "bad/3.png"])
    less = {name: layout for name, layout in LAYOUTS.items() if name != "folders"}
    monkeypatch.setattr(module, "LAYOUTS", less)
    (doubt,) = guess(tmp_path).doubts["layout"]
    assert doubt.startswith("'folders' is recognised, but this version of comp cannot read it; ")
    assert doubt.endswith(", ".join(less))


def test_a_folder_without_a_competition_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="input: no such folder"):
        guess(tmp_path / "input")
    (tmp_path / "input").mkdir()
    with pytest.raises(DataError, match="no images in it"):
        guess(tmp_path / "input")
    images(str(tmp_path / "input/all"), ["1.png"])
    with pytest.raises(
        DataError, match=r"no layout is recognised\. Tables: none; folders with images: 'all'"
    ):
        guess(tmp_path / "input")


@pytest.mark.parametrize(
    ("sides", "size"),
    [([20], 32), ([61], 64), ([60], 32), ([40, 100, 100], 96), ([400], 331)],
)
def test_the_size_is_the_largest_usual_one_that_most_images_fill(
    tmp_path: Path, sides: list[int], size: int
) -> None:
    for folder in ("good", "bad"):
        for number, side in enumerate(sides):
            paint(tmp_path / f"{folder}/{number}.png", 40, seed=number, size=side)
    found = guess(tmp_path)
    assert found.image_size == size
    low, high, middle = min(sides), max(sides), sorted(sides)[len(sides) // 2]
    assert found.notes[-1] == (
        f"{2 * len(sides)} images in ., {low} x {low} to {high} x {high} pixels, "
        f"the shorter side mostly {middle}"
    )


def test_images_and_tables_that_cannot_be_read_are_doubts(tmp_path: Path) -> None:
    images(str(tmp_path), ["good/1.png", "bad/2.png"], size=64)
    (tmp_path / "bad/torn.png").write_bytes(b"\x89PNG")
    (tmp_path / "torn.csv").write_text("a,b\n1\n")
    found = guess(tmp_path)
    table, image = found.doubts["root"]
    assert table.startswith("a table was ignored: ")
    assert image == "torn.png cannot be read; see `comp check`"
    assert found.image_size == 64


def test_without_a_readable_image_the_size_stays_the_default(tmp_path: Path) -> None:
    for folder in ("good", "bad"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"")
    found = guess(tmp_path)
    assert found.image_size == 224
    assert not any("pixels" in note for note in found.notes)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")
@pytest.mark.parametrize(
    ("name", "task", "layout"),
    [
        ("tiles", "binary", "defects"),
        ("signs", "multiclass", "csv"),
        ("letters", "multilabel", "csv"),
    ],
)
def test_the_real_competitions_are_recognised(
    workspace: Path, name: str, task: str, layout: str
) -> None:
    made, config = new_config(str(SHARED / name))
    assert (config.task, config.data.layout, made.problems) == (task, layout, ())
