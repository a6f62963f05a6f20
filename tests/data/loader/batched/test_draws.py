"""What a recipe draws, without touching a pixel."""

from __future__ import annotations

import pickle
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest

from comp.data.loader import recipes
from comp.data.loader.batched.draws import Draws, not_batched
from comp.data.loader.recipes import RECIPES, make_recipe

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
SEEDS = [3, 2**63 - 1, 0, 12, 77, 5]


@pytest.mark.parametrize("name", RECIPES)
def test_the_generators_end_where_those_of_the_recipe_do(name: str) -> None:
    """Each draw is the same, in the same order: also those after the last that is seen."""
    one, other = make_recipe(name, 24), make_recipe(name, 24)
    draws = Draws(other)
    for seed in range(40):
        one(IMAGE, seed)
        draws.one(seed)
        if name == "none":  # it draws nothing
            continue
        assert one.python.getstate() == other.python.getstate()
        assert one.numpy.bit_generator.state == other.numpy.bit_generator.state


def test_moves_are_a_function_of_the_seeds_alone() -> None:
    draws = Draws(make_recipe("heavy", 24))
    first = draws(SEEDS)
    draws([9, 9, 9])
    second, third = draws(SEEDS), pickle.loads(pickle.dumps(draws))(SEEDS)
    for again in (second, third):
        assert again.plan == first.plan
        assert again.values.equal(first.values)


def test_a_flip_before_a_warp_is_a_part_of_it() -> None:
    draws = Draws(make_recipe("flips_rotate", 24))
    names = [[name for _, name, _ in draws.one(seed)] for seed in range(60)]
    assert any(found.count("warp") for found in names)
    plan = [name for seed in range(60) for name, *_ in draws([seed]).plan]
    assert all(len(draws([seed]).plan) == 1 for seed in range(60) if "warp" in names[seed])
    assert {"across", "down", "warp"} <= set(plan)


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (A.GaussNoise(p=1), "GaussNoise"),
        (A.Affine(rotate=(-9, 9), border_mode=cv2.BORDER_CONSTANT, p=1), "Affine"),
        (A.Affine(interpolation=cv2.INTER_CUBIC, border_mode=cv2.BORDER_REFLECT_101), "Affine"),
        (A.Perspective(keep_size=False, border_mode=cv2.BORDER_REFLECT_101), "Perspective"),
        (A.CoarseDropout(fill="random"), "CoarseDropout"),
        (A.OneOf([A.HorizontalFlip(p=1), A.CLAHE(p=1)]), "CLAHE"),
        (A.SomeOf([A.HorizontalFlip(p=1)], n=1), "SomeOf"),
        (A.HorizontalFlip(p=1), None),
    ],
)
def test_what_has_no_operation_is_named(
    monkeypatch: pytest.MonkeyPatch, transform: Any, name: str | None
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "own", lambda size: [transform])
    assert not_batched("own", 24) == name


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_of_comp_can_be_done_by_the_device(name: str) -> None:
    assert not_batched(name, 64) is None
