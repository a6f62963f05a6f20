"""The layout `profiles`: photos of people, classes joined from columns and file names."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import lay_profiles

from comp.config.loading import make_config
from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.index.tables import read_table
from comp.data.layouts.layouts import read_index, read_test
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.train import train
from comp.tasks.kinds import TASKS

CLASSES = tuple(
    f"{mask}|{gender}|{age}"
    for mask in ("worn", "incorrect", "none")
    for gender in ("male", "female")
    for age in ("<30", "30-59", ">=60")
)


def data_of(root: Path, **keys: Any) -> DataConfig:
    lay_profiles(root)
    return DataConfig(root=str(root), layout="profiles", **keys)


def test_eighteen_classes_in_the_order_of_the_competition(tmp_path: Path) -> None:
    index = read_index(data_of(tmp_path), TASKS["multiclass"])
    assert index.classes == CLASSES
    assert len(index) == 12 * 7
    row = index.ids.index("000003_male_Asian_59/incorrect_mask.png")
    assert CLASSES[index.labels[row]] == "incorrect|male|30-59"
    assert index.labels[row] == 1 * 6 + 0 * 3 + 1
    assert Counter(index.groups) == {f"{n:06d}": 7 for n in range(12)}
    counts = Counter(text.split("|")[0] for text in index.label_texts())
    assert counts == {"worn": 60, "incorrect": 12, "none": 12}


def test_one_attribute_alone_or_other_bins_make_other_classes(tmp_path: Path) -> None:
    data = data_of(tmp_path, target=("age",), bins={"age": (20.0, 60.5)})
    assert read_index(data, TASKS["multiclass"]).classes == ("<20", "20-<60.5", ">=60.5")
    mask = read_index(data_of(tmp_path, target=("mask",)), TASKS["multiclass"])
    assert mask.classes == ("worn", "incorrect", "none")
    both = read_index(data_of(tmp_path, target=("race", "gender")), TASKS["multiclass"])
    assert both.classes == ("Asian|female", "Asian|male")


def test_a_class_that_nobody_has_keeps_its_number(tmp_path: Path) -> None:
    lay_profiles(tmp_path, people=4)  # nobody is 60
    index = read_index(DataConfig(root=str(tmp_path), layout="profiles"), TASKS["multiclass"])
    assert index.classes == CLASSES
    assert index.labels.max() == 16


def test_test_photos_are_those_of_the_table(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    assert read_test(data, TASKS["multiclass"], CLASSES).ids == tuple(f"e{n}.png" for n in range(6))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    table = tmp_path / "train/train.csv"
    text = table.read_text().replace("000001,male", "000001,mail").replace("Asian,75", "Asian,old")
    table.write_text(text + "000099,male,Asian,44,000099_gone\n")
    photo = tmp_path / "train/images/000000_female_Asian_18/mask1.png"
    photo.rename(photo.with_name("mask9.png"))
    with pytest.raises(DataError) as caught:
        read_index(data, TASKS["multiclass"])
    said = str(caught.value)
    assert "1 people have no photos" in said
    assert "'000099_gone'" in said
    assert "photos of another name than 'mask1'" in said
    assert "'000000_female_Asian_18/mask9.png'" in said
    assert "line 7: 'old' in 'age' is no number (data.bins)" in said


def test_photos_of_nobody_are_told(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    table = tmp_path / "train/train.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="of nobody in the table: '000011_male_Asian_75'"):
        read_index(data, TASKS["multiclass"])


def test_a_missing_tree_names_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv is missing"):
        read_index(DataConfig(root=str(tmp_path), layout="profiles"), TASKS["multiclass"])


@pytest.mark.parametrize("heads", ["one", "attributes"])
def test_the_competition_is_played_to_its_numbers(
    workspace: Path, toy: Callable[..., Any], heads: str
) -> None:
    lay_profiles(workspace / "input", people=12)
    tree = {
        "name": "masks",
        "task": "multiclass",
        "metric": "macro_f1",
        "data": {"root": "input", "layout": "profiles"},
        "folds": {"count": 2},
        "image": {"size": 24},
        "augment": {"recipe": "portrait"},
        "model": {"name": "test_resnet", "pretrained": False, "heads": heads},
        "train": {"epochs": 1, "batch_size": 8, "lr": 3e-3, "workers": 0},
    }
    experiment = open_experiment(make_config(tree))
    plan, _, _ = make_folds(experiment, replace=False)
    homes = dict(zip(plan.groups or (), plan.fold.tolist(), strict=True))
    assert len(homes) == 12
    for group, fold in zip(plan.groups or (), plan.fold.tolist(), strict=True):
        assert homes[group] == fold
    train(experiment, "all")
    table = read_table(ensemble(experiment).path)
    assert table.columns == ("ImageID", "ans")
    assert set(table.values["ans"]) <= {str(number) for number in range(18)}
