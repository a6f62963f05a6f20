"""Colours by torch beside those of albumentations and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from albumentations.augmentations.pixel.functional import shift_hsv

from comp.data.loader.batched import colours
from comp.data.loader.batched.colours import contrast, hue

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), dtype=np.uint8)
IMAGES[3] = IMAGES[3, :, :, :1]  # grey


@pytest.mark.parametrize("numbers", [(1.2, 0.1, 0.0), (0.7, -0.2, 0.0), (1.0, 0.0, 30.5)])
def test_contrast_is_a_factor_and_a_share_of_the_mean(numbers: tuple[float, ...]) -> None:
    found = contrast(torch.from_numpy(IMAGES), torch.tensor([numbers] * 4)).numpy()
    for image, own in zip(IMAGES, found, strict=True):
        exact = image * numbers[0] + numbers[1] * image.mean() + numbers[2]
        assert np.abs(own - np.clip(exact, 0, 255)).max() < 1.001


def test_hue_saturation_and_value_are_those_of_opencv() -> None:
    hsv = torch.stack(colours._to_hsv(torch.from_numpy(IMAGES)), dim=-1).numpy()
    expected = [cv2.cvtColor(image, cv2.COLOR_RGB2HSV) for image in IMAGES]
    np.testing.assert_array_equal(hsv.astype(np.uint8), expected)


@pytest.mark.parametrize("shifts", [(5.4, 20.7, 0.0), (-7.9, -25.2, 0.0), (0.3, 3.0, 12.6)])
def test_a_shift_is_that_of_albumentations_within_a_level(shifts: tuple[float, ...]) -> None:
    found = hue(torch.from_numpy(IMAGES), torch.tensor([shifts] * 4)).numpy().astype(int)
    expected = np.stack([shift_hsv(image, *shifts) for image in IMAGES])
    assert np.abs(found - expected).max() <= 1


def test_grey_stays_grey() -> None:
    found = hue(torch.from_numpy(IMAGES[3:]), torch.tensor([[8.0, 30.0, 0.0]]))
    np.testing.assert_array_equal(found, IMAGES[3:])
