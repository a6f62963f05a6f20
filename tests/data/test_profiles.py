from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import paint, write_csv

from comp.config import DataConfig
from comp.data.layouts import read_answers, read_index, read_test
from comp.errors import ConfigError, DataError
from comp.tasks import TASKS

MULTICLASS = TASKS["multiclass"]
PEOPLE = [("p1_male_29", "male", 29), ("p2_female_30", "female", 30), ("p3_male_60", "male", 60)]
PHOTOS = [*(f"mask{n}" for n in range(1, 6)), "incorrect_mask", "normal"]


def make_tree(root: Path) -> None:
    rows = [
        [f"{n:06d}", gender, "Asian", age, path] for n, (path, gender, age) in enumerate(PEOPLE)
    ]
    write_csv(root / "train/train.csv", [["id", "gender", "race", "age", "path"], *rows])
    for path, _, _ in PEOPLE:
        for number, name in enumerate(PHOTOS):
            paint(root / f"train/images/{path}/{name}.png", 20 * number, seed=number, size=8)
    write_csv(root / "eval/info.csv", [["ImageID", "ans"], ["b.jpg", 0], ["a.jpg", 0]])
    for name in ("a", "b"):
        paint(root / f"eval/images/{name}.jpg", 50, seed=1, size=8)


@pytest.fixture
def root(workspace: Path) -> Path:
    make_tree(workspace / "masks")
    return workspace / "masks"


def config(**over: Any) -> DataConfig:
    return DataConfig(**{"root": "masks", "layout": "profiles", **over})


@pytest.mark.usefixtures("root")
def test_the_class_joins_mask_gender_and_age_and_the_person_is_the_group() -> None:
    index = read_index(config(), MULTICLASS)
    assert len(index) == 21
    assert len(index.classes) == 18
    assert index.classes[:3] == ("worn|male|<30", "worn|male|30-59", "worn|male|>=60")
    assert index.classes[3] == "worn|female|<30"
    facts = dict(zip(index.ids, zip(index.labels, index.groups or (), strict=True), strict=True))
    assert facts["p1_male_29/mask3.png"] == (0, "p1_male_29")
    assert facts["p2_female_30/incorrect_mask.png"] == (6 + 3 + 1, "p2_female_30")
    assert facts["p3_male_60/normal.png"] == (12 + 0 + 2, "p3_male_60")


@pytest.mark.usefixtures("root")
def test_one_attribute_alone_can_be_the_class() -> None:
    assert read_index(config(target=("age",)), MULTICLASS).classes == ("<30", "30-59", ">=60")
    genders = read_index(config(target=("gender",)), TASKS["binary"])
    assert genders.classes == ("male", "female")
    assert np.bincount(genders.labels).tolist() == [14, 7]
    halves = read_index(config(target=("age", "mask"), bins={"age": (40,)}), MULTICLASS)
    assert halves.classes[:2] == ("<40|worn", "<40|incorrect")


@pytest.mark.usefixtures("root")
def test_the_test_images_are_those_of_the_info_table_and_answers_may_be_numbers(root: Path) -> None:
    test = read_test(config(), MULTICLASS, ("x",))
    assert test.ids == ("a.jpg", "b.jpg")
    write_csv(root / "answers.csv", [["ImageID", "ans"], ["a.jpg", 17], ["b.jpg", 4]])
    classes = read_index(config(), MULTICLASS).classes
    found = read_answers(config(test_answers="answers.csv"), MULTICLASS, classes, test.ids)
    assert found is not None
    assert found.tolist() == [17, 4]


def test_all_complaints_come_at_once(root: Path) -> None:
    table = root / "train/train.csv"
    text = table.read_text().replace(",male,Asian,29", ",mael,Asian,29").replace(",30,", ",old,")
    table.write_text(text + "9,male,Asian,40,p9\n")
    paint(root / "train/images/p8/mask1.png", 10, seed=1, size=8)
    paint(root / "train/images/p1_male_29/selfie.png", 10, seed=1, size=8)
    with pytest.raises(DataError) as caught:
        read_index(config(), MULTICLASS)
    message = str(caught.value)
    assert "1 cells of 'age' are no numbers: \"line 3: 'old'\"" in message
    assert "1 rows are neither male nor female: lines 2" in message
    assert "1 people have no photographs: 'p9'" in message
    assert "1 folders have no row: 'p8'" in message
    assert "1 files are named neither mask, incorrect_mask nor normal" in message
    assert "p1_male_29/selfie.png" in message


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("over", "kind", "message"),
    [
        ({"target": ("height",)}, "multiclass", "'height' is none of the attributes"),
        ({}, "binary", "more classes than task: binary"),
        ({}, "multilabel", "a photograph has one class"),
        ({"group": "id"}, "multiclass", "the group is the person already"),
        ({"bins": {"gender": (1,)}}, "multiclass", "'gender' holds no numbers here"),
        ({"classes": ("a", "b")}, "multiclass", "they follow from the attributes"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    over: dict[str, Any], kind: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_index(config(**over), TASKS[kind])


def test_a_missing_tree_names_what_is_missing_and_what_would_fit(workspace: Path) -> None:
    (workspace / "masks").mkdir()
    with pytest.raises(DataError, match=r"train\.csv is missing(?s:.*)no layout fits"):
        read_index(config(), MULTICLASS)


def test_bins_cut_a_column_of_any_table(workspace: Path) -> None:
    rows = [["a", 29.5, "x"], ["b", 30, "x"], ["c", 75, "y"], ["d", 0, "y"]]
    write_csv(workspace / "in/train.csv", [["id", "age", "kind"], *rows])
    for name, *_ in rows:
        paint(workspace / f"in/train/{name}.png", 10, seed=1, size=8)
    data = DataConfig(root="in", target=("kind", "age"), bins={"age": (30.0, 60.0)})
    index = read_index(data, MULTICLASS)
    assert index.label_texts() == ["x|<30", "x|30-59", "y|>=60", "y|<30"]


@pytest.mark.parametrize("edges", [(), (60, 30), (30, 30)])
def test_edges_must_rise(edges: tuple[float, ...]) -> None:
    from comp.config import make_config

    tree = {"name": "x", "task": "multiclass", "metric": "macro_f1"}
    with pytest.raises(ConfigError, match=r"data\.bins\.age: edges are one or more numbers"):
        make_config({**tree, "data": {"root": "i", "bins": {"age": list(edges)}}})
