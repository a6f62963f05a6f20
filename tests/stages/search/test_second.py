"""The probe that `comp run` fits beside the networks: for what, at which size, in which views."""

from __future__ import annotations

from typing import Any

import pytest

from comp.config.loading import make_config
from comp.stages.search.budget import Speed
from comp.stages.search.second import probe_settings, wants_probe

SPEED = Speed(25, 100, 0.0)


def config(**more: Any) -> Any:
    tree = {
        "name": "c",
        "task": "binary",
        "metric": "macro_f1",
        "data": {"root": "input", "target": "label"},
        "image": {"size": 128},
        "augment": {"recipe": "flips_rotate"},
    }
    return make_config({**tree, **more})


def test_the_largest_size_whose_features_fit_is_taken_and_never_a_smaller_one() -> None:
    for seconds, size in ((1000, 224), (4 * 1000 / 100 * (192 / 128) ** 2 + 1, 192), (40, 128)):
        found = probe_settings(config(), 224, seconds, SPEED, 1000)
        assert found is not None
        assert found["image.size"] == size
    assert probe_settings(config(), 224, 39, SPEED, 1000) is None
    assert probe_settings(config(), 64, 1000, SPEED, 1000)["image.size"] == 128  # type: ignore[index]


@pytest.mark.parametrize(
    ("recipe", "views", "seconds"), [("light", "none", 10), ("medium", "hflip", 20)]
)
def test_its_views_are_what_the_recipe_turns(recipe: str, views: str, seconds: float) -> None:
    found = probe_settings(config(augment={"recipe": recipe}), 128, seconds, SPEED, 1000)
    assert found is not None
    assert found["model.views"] == views
    assert probe_settings(config(augment={"recipe": recipe}), 128, seconds - 1, SPEED, 1000) is None


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, True),
        ({"model": {"pretrained": False}}, False),
        ({"model": {"pretrained": False, "weights": "w.pt"}}, True),
        ({"model": {"probe": "knn"}}, False),
        ({"task": "regression", "metric": "mae"}, False),
        ({"data": {"root": "input", "target": "label", "bag": "patient"}}, False),
    ],
)
def test_for_classes_of_single_images_and_weights_that_learned(
    more: dict[str, Any], wanted: bool
) -> None:
    assert wants_probe(config(**more)) is wanted
