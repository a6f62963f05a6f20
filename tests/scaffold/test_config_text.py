"""The text of a new config: valid, with every guess marked."""

from pathlib import Path

import pytest
import yaml

from comp.config.schema import Config
from comp.scaffold.config_text import config_text, guesses_in
from comp.scaffold.folder import Guess
from comp.tasks.kinds import TASKS


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_config_of_every_task_is_valid(task) -> None:
    found = Guess(task, {"layout": "csv", "id": "id", "target": "y", "group": None})
    text = config_text("toy", "input/toy", Path("configs/toy.yaml"), found)
    config = Config(**yaml.safe_load(text))
    assert (config.task, config.data.root, config.image.size) == (task.name, "input/toy", 224)
    assert "group" not in text
    assert "#   comp check -c configs/toy.yaml" in text


def test_every_doubt_stands_behind_its_key_and_is_counted() -> None:
    found = Guess(TASKS["binary"], {"layout": "csv", "group": None}, metric="roc_auc")
    before = guesses_in(config_text("toy", "x", Path("toy.yaml"), found))
    found.doubt("group", "one\nor  two")
    found.doubt("group", "three")
    found.doubt("layout", "")
    text = config_text("toy", "x", Path("toy.yaml"), found)
    assert "  group: null  # ? one or two; three\n" in text
    assert "metric: roc_auc  # ?" in text
    assert guesses_in(text) == before + 1


@pytest.mark.parametrize(
    ("layout", "images", "recipe", "batch", "sampler"),
    [
        ("csv", 1999, "light", 16, "shuffle"),
        ("csv", 2000, "light", 32, "shuffle"),
        ("defects", 680, "flips_rotate", 16, "balanced"),
        ("profiles", 18900, "portrait", 32, "shuffle"),
    ],
)
def test_recipe_sampler_and_batch_follow_from_the_data(
    layout: str, images: int, recipe: str, batch: int, sampler: str
) -> None:
    found = Guess(TASKS["binary"], {"layout": layout}, images=images)
    config = Config(**yaml.safe_load(config_text("toy", "x", Path("toy.yaml"), found)))
    assert config.augment.recipe == recipe
    assert (config.train.batch_size, config.train.sampler) == (batch, sampler)
