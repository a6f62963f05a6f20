"""Two backends, one result: what torch makes of the draws is what OpenCV makes of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from cards import Card

from comp.data.loader.batched.apply import GEOMETRY, OPERATIONS, moved
from comp.data.loader.batched.draws import Draws
from comp.data.loader.recipes import RECIPES, make_recipe
from comp.tasks.counts import IGNORED

SIZE, COUNT = 48, 60
# name -> most levels that a value may differ by, share of the values of an image that may differ by
# more than 2, and the mean difference of an image. docs/gpu.md says the same
TOLERANCE: dict[str, tuple[int, float, float]] = {
    "none": (0, 0.0, 0.0),
    "flips": (0, 0.0, 0.0),
    "flips_rotate": (1, 0.0, 0.01),
    "flips_turn": (1, 0.0, 0.01),
    "portrait": (1, 0.0, 0.01),
    "light": (2, 0.0, 0.01),
    "medium": (3, 0.001, 0.05),
    "heavy": (40, 0.005, 0.25),
}


def pictures(count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """Images with structure of several sizes, and masks (count, SIZE, SIZE, 2)."""
    draw = np.random.default_rng(4)
    images, masks = [], []
    for number in range(count):
        side = (4, 12, SIZE)[number % 3]
        coarse = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        blob = cv2.resize(coarse[..., 0], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) > 128
        images.append(image)
        masks.append(np.stack([blob, np.where(blob, IGNORED, 0)], axis=-1).astype(np.uint8))
    return np.stack(images), np.stack(masks)


def by_device(name: str, images: np.ndarray, masks: np.ndarray, seeds: list[int]) -> tuple[
    np.ndarray, np.ndarray
]:  # fmt: skip
    layers = torch.from_numpy(masks).permute(0, 3, 1, 2).contiguous()
    moves = Draws(make_recipe(name, SIZE))(seeds)
    out, own = moved(torch.from_numpy(images.copy()), layers, moves)
    assert own is not None
    return out.numpy(), own.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", RECIPES)
def test_each_image_is_that_of_the_other_backend_within_the_tolerance(name: str) -> None:
    images, masks = pictures()
    recipe, seeds = make_recipe(name, SIZE), list(range(100, 100 + COUNT))
    out, own = by_device(name, images, masks, seeds)
    most, share, mean = TOLERANCE[name]
    off = []
    for number, seed in enumerate(seeds):
        expected = recipe(images[number], seed)
        difference = np.abs(out[number].astype(int) - expected)
        assert difference.max() <= most, seed
        assert (difference > 2).mean() <= share, seed
        assert difference.mean() <= mean, seed
        mask = recipe.with_mask(images[number], masks[number], seed)[1]
        off.append((own[number] != mask).mean())
    assert max(off) <= 0.01
    assert np.mean(off) <= 0.001
    changed = (out != images).any(axis=(1, 2, 3)).mean()
    assert changed > 0.5 or name == "none"


@pytest.mark.parametrize("name", RECIPES)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    images, masks = pictures(9)
    seeds = list(range(9))
    whole, own = by_device(name, images, masks, seeds)
    for size in (1, 4):
        for start in range(0, 9, size):
            part = np.s_[start : start + size]
            some, few = by_device(name, images[part], masks[part], seeds[part])
            np.testing.assert_array_equal(some, whole[part])
            np.testing.assert_array_equal(few, own[part])


def test_without_moves_nothing_changes() -> None:
    images, masks = pictures(3)
    out, own = by_device("none", images, masks, [1, 2, 3])
    np.testing.assert_array_equal(out, images)
    np.testing.assert_array_equal(own, masks)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_masks_that_are_given_stay_as_they_are(layers: int) -> None:
    images, masks = pictures(6)
    masks, seeds = np.ascontiguousarray(masks[..., :layers]), list(range(6))
    before = masks.copy()
    _, own = by_device("flips_turn", images, masks, seeds)
    np.testing.assert_array_equal(masks, before)
    recipe = make_recipe("flips_turn", SIZE)
    expected = [
        recipe.with_mask(*pair, n)[1] for n, pair in enumerate(zip(images, masks, strict=True))
    ]
    assert (own != np.stack(expected)).mean() < 0.001


def test_what_moves_masks_is_geometry() -> None:
    assert set(GEOMETRY) < set(OPERATIONS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_card_gives_what_the_cpu_gives_and_nobody_waits(name: str, card: Card) -> None:
    images, masks = pictures()
    seeds = list(range(COUNT))
    expected, regions = by_device(name, images, masks, seeds)
    moves = Draws(make_recipe(name, SIZE))(seeds)
    layers = torch.from_numpy(masks).permute(0, 3, 1, 2).contiguous().to(card.place)
    there, values = torch.from_numpy(images).to(card.place), moves.values.to(card.place)
    with card.nobody_waits():
        out, own = moved(there, layers, moves._replace(values=values))
    assert own is not None
    difference = np.abs(out.cpu().numpy().astype(int) - expected)
    assert difference.max() <= max(2, TOLERANCE[name][0])
    assert difference.mean() < 0.01
    assert (own.permute(0, 2, 3, 1).cpu().numpy() != regions).mean() < 0.001
