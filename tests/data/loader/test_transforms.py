"""Transforms that draw and do what those of albumentations do."""

from __future__ import annotations

import random
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest

from comp.data.loader.transforms import BY_PYTHON, Affine, Contrast

DRAW = np.random.default_rng(0)
IMAGE = DRAW.integers(0, 256, (31, 44, 3), dtype=np.uint8)
MASK = DRAW.integers(0, 3, (31, 44, 8), dtype=np.uint8)
WARPS = [
    {"rotate": (-40, 40)},
    {"rotate": (-180, 180)},
    {
        "rotate": (-30, 30),
        "shear": (-8, 8),
        "scale": (0.75, 1.25),
        "keep_ratio": True,
        "translate_percent": (-0.15, 0.15),
    },
]


def both(ours: Any, theirs: Any, seed: int) -> list[tuple[dict[str, Any], Any]]:
    """What each makes, and where its generators end."""
    found = []
    for transform in (ours, theirs):
        draws = np.random.default_rng(seed), random.Random(seed)
        transform.set_random_state(*draws)
        made = transform(image=IMAGE, mask=MASK)
        found.append((made, (draws[0].bit_generator.state, draws[1].getstate())))
    return found


@pytest.mark.parametrize("over", WARPS)
def test_a_warp_is_that_of_albumentations(over: dict[str, Any]) -> None:
    given = {**over, "border_mode": cv2.BORDER_REFLECT_101, "p": 0.8}
    ours, theirs = Affine(**given), A.Affine(**given)
    for seed in range(30):
        (made, end), (expected, other) = both(ours, theirs, seed)
        assert end == other
        off = np.abs(made["image"].astype(int) - expected["image"])
        assert off.max() <= 1
        assert (made["mask"] != expected["mask"]).mean() < 0.001


def test_contrast_is_that_of_albumentations() -> None:
    ours = Contrast(0.25, 0.7)
    theirs = A.RandomBrightnessContrast(0.25, 0.25, brightness_by_max=False, p=0.7)
    for seed in range(30):
        (made, end), (expected, other) = both(ours, theirs, seed)
        assert end == other
        assert np.abs(made["image"].astype(int) - expected["image"]).max() <= 1


@pytest.mark.parametrize("kind", BY_PYTHON)
def test_what_draws_by_python_leaves_numpys_generator_alone(kind: Any) -> None:
    transform, draws = kind(p=1), np.random.default_rng(0)
    before = draws.bit_generator.state
    transform.set_random_state(draws, random.Random(0))
    transform(image=IMAGE)
    assert draws.bit_generator.state == before


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_are_changed_as_three_are(channels: int) -> None:
    grey = np.repeat(IMAGE[..., :1], 3, axis=2)
    many = np.repeat(IMAGE[..., :1], channels, axis=2)
    warp = Affine(rotate=(-40, 40), border_mode=cv2.BORDER_REFLECT_101, p=1.0)
    # Of two channels OpenCV interpolates at 32nds of a pixel
    for transform, most in ((warp, 8), (Contrast(0.25, 1.0), 1)):
        found = []
        for image in (grey, many):
            transform.set_random_state(np.random.default_rng(1), random.Random(1))
            found.append(transform(image=image)["image"].astype(int))
        assert found[1].shape == many.shape
        assert np.abs(found[1] - found[0][..., :1]).max() <= most


def test_contrast_of_floats_is_that_of_bytes() -> None:
    found = []
    for image in (IMAGE, IMAGE.astype(np.float32) / 255):
        transform = Contrast(0.25, 1.0)
        transform.set_random_state(np.random.default_rng(2), random.Random(2))
        found.append(transform(image=image)["image"].astype(np.float64))
    assert np.abs(found[0] - 255 * found[1]).max() <= 1
