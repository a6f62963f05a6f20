"""`comp init` writes a config that can be used, or says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scaffold_toys import images, new_config
from toys import SHARED, write_csv

from comp.core.errors import DataError, UsageError
from comp.stages.init import init


def test_profiles_and_coco_are_recognised(workspace: Path) -> None:
    head = ["id", "gender", "race", "age", "path"]
    write_csv(Path("input/toy/train/train.csv"), [head, ["1", "male", "Asian", "20", "1_male"]])
    images("input/toy/train/images/1_male", ["mask1.png"])
    text = init(Path("input/toy"), None, replace=False).text
    assert "layout: profiles" in text
    images("input/car/train", ["0.png", "1.png"])
    tree = {"images": [{"file_name": "0.png"}, {"file_name": "1.png"}], "annotations": []}
    outlines = Path("input/car/outlines.json")
    outlines.write_text(json.dumps({**tree, "categories": [{"id": 1}]}), encoding="utf-8")
    text = init(Path("input/car"), None, replace=False).text
    assert "layout: coco" in text
    assert "train_images: train\n" in text
    assert "annotations: [outlines.json]\n" in text
    assert "# COCO: 2 images, 0 outlines of 0 classes" in text


def test_a_layout_that_cannot_be_read_is_a_doubt(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comp.data.layouts.layouts import LAYOUTS
    from comp.scaffold import guess

    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    less = {name: layout for name, layout in LAYOUTS.items() if name != "folders"}
    monkeypatch.setattr(guess, "LAYOUTS", less)
    text = init(Path("input/toy"), None, replace=False).text
    assert "layout: folders  # ? 'folders' is recognised, but this version" in text


def test_a_config_is_not_written_over(workspace: Path) -> None:
    images("input/toy/good", ["1.png"])
    images("input/toy/bad", ["3.png"])
    path = init(Path("input/toy"), None, replace=False).path
    with pytest.raises(UsageError, match=r"configs/toy.yaml: exists already.*--replace"):
        init(Path("input/toy"), None, replace=False)
    assert init(Path("input/toy"), None, replace=True).path == path


def test_a_folder_without_a_competition_says_what_it_holds(workspace: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        init(Path("input"), None, replace=False)
    Path("input").mkdir()
    with pytest.raises(DataError, match="no images in it"):
        init(Path("input"), None, replace=False)
    images("input/all", ["1.png"])
    with pytest.raises(DataError, match=r"no layout is recognised.*folders with images: 'all'"):
        init(Path("input"), None, replace=False)


def test_korean_names_survive(workspace: Path) -> None:
    images("input/과일 🍎/사과", ["1.png"])
    images("input/과일 🍎/배", ["3.png"])
    made, config = new_config("input/과일 🍎")
    assert config.data.root == "input/과일 🍎"
    assert config.name == "과일"
    assert "# 2 classes: 배 1, 사과 1" in made.text


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")
@pytest.mark.parametrize(
    ("name", "task", "layout"),
    [
        ("tiles", "binary", "defects"),
        ("signs", "multiclass", "csv"),
        ("letters", "multilabel", "csv"),
    ],
)
def test_the_real_competitions_are_recognised(workspace, name, task, layout) -> None:
    made, config = new_config(str(SHARED / name))
    assert (config.task, config.data.layout, made.problems) == (task, layout, ())
