"""What a search may try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.data.index.index import Index
from comp.stages.experiment import open_experiment
from comp.stages.search.space import given, imbalance, space_of

Toy = Callable[..., dict[str, Any]]


def index_of(labels: list[int], classes: tuple[str, ...]) -> Index:
    ids = tuple(f"i{number:04d}" for number in range(len(labels)))
    return Index(ids, tuple(map(_path, ids)), classes, np.array(labels))


def _path(name: str) -> Any:
    from pathlib import Path

    return Path(f"{name}.png")


def test_every_value_of_the_config_is_among_those_that_are_tried(toy: Toy) -> None:
    experiment = open_experiment(make_config(toy("multiclass", image__size=100)))
    space = space_of(experiment, index_of([0, 1, 2], ("cat", "dog", "cow")), ("resnet18",))
    own = given(experiment, space)
    assert own["train.lr"] == 3e-3
    assert (space["train.lr"].low, space["train.lr"].high) == (7.5e-4, 1.2e-2)  # type: ignore[union-attr]
    for key, value in own.items():
        if key != "train.lr":
            assert space[key][0] == value  # type: ignore[index]
    assert space["image.size"] == (100, 64)
    assert space["model.name"] == ("test_resnet", "resnet18")
    assert "train.sampler" not in space


def test_recipes_that_mirror_images_are_left_out_where_classes_are_letters(toy: Toy) -> None:
    experiment = open_experiment(make_config(toy("multiclass")))
    letters = space_of(experiment, index_of([0, 1, 2], ("b", "d", "p")))["augment.recipe"]
    words = space_of(experiment, index_of([0, 1, 2], ("bat", "dog", "pig")))["augment.recipe"]
    assert set(letters) == {"light", "none"}  # type: ignore[arg-type]
    assert {"medium", "flips", "light"} < set(words)  # type: ignore[arg-type]


def test_samplers_and_losses_are_tried_where_classes_are_rare(toy: Toy) -> None:
    experiment = open_experiment(make_config(toy("binary")))
    rare = index_of([0] * 9 + [1], ("good", "bad"))
    assert imbalance(rare) == 9
    assert space_of(experiment, rare)["train.sampler"] == ("shuffle", "balanced")
    even = index_of([0, 1] * 5, ("good", "bad"))
    assert imbalance(even) == 1
    assert "train.loss" not in space_of(experiment, even)


def test_a_rare_label_and_a_label_that_is_hardly_ever_missing_are_both_rare() -> None:
    labels = np.array([[0, 1]] * 9 + [[1, 0]])
    ids = tuple(f"i{number:04d}" for number in range(10))
    index = Index(ids, tuple(map(_path, ids)), ("a", "b"), labels)
    assert imbalance(index) == 9


@pytest.mark.parametrize("kind", ["segmentation"])
def test_masks_have_no_smoothing_and_no_second_size(toy: Toy, kind: str) -> None:
    experiment = open_experiment(make_config(toy(kind)))
    space = space_of(experiment, index_of([0, 1], ("a", "b")))
    assert set(space) == {"train.lr", "augment.recipe"}
