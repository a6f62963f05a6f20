"""Blur, noise and holes by torch beside OpenCV's and NumPy's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from comp.data.loader.batched.filters import blur, filtered, holes, noise
from comp.data.loader.noise import SEEDS, noise_of

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 19, 26, 3), dtype=np.uint8)


def test_a_blur_is_that_of_opencv() -> None:
    kernel = np.array([0.0, 0.1, 0.2, 0.4, 0.2, 0.1, 0.0], np.float32)
    found = blur(torch.from_numpy(IMAGES), torch.from_numpy(np.stack([kernel] * 2))).numpy()
    for image, own in zip(IMAGES, found, strict=True):
        expected = cv2.sepFilter2D(image, -1, kernel, kernel)
        assert np.abs(own.astype(int) - expected).max() <= 1


def test_a_kernel_lies_the_way_that_it_does_in_opencv() -> None:
    kernel = np.zeros((5, 5), np.float32)
    kernel[0, 1], kernel[3, 4] = 0.75, 0.25
    found = filtered(torch.from_numpy(IMAGES), torch.from_numpy(np.stack([kernel.ravel()] * 2)))
    for image, own in zip(IMAGES, found.numpy(), strict=True):
        assert np.abs(own.astype(int) - cv2.filter2D(image, -1, kernel)).max() <= 1


def test_a_kernel_may_be_larger_than_the_image() -> None:
    small = torch.from_numpy(IMAGES[:, :3, :3].copy())
    kernel = torch.full((2, 9), 1 / 9)
    found = blur(small, kernel)
    for image, own in zip(small.numpy(), found.numpy(), strict=True):
        expected = cv2.sepFilter2D(image, -1, kernel[0].numpy(), kernel[0].numpy())
        assert np.abs(own.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("pattern", [0, 1, 40_000, SEEDS - 1])
def test_noise_is_that_of_the_other_backend(pattern: int) -> None:
    grey = np.full_like(IMAGES, 128)
    found = noise(torch.from_numpy(grey), torch.tensor([[9.5, pattern], [0.0, 3]])).numpy()
    exact = 128 + np.float32(9.5) * noise_of(pattern, IMAGES[0].size)
    assert (found[0].ravel() == exact.round()).mean() > 0.999
    assert np.abs(found[0].ravel() - exact).max() < 0.51
    np.testing.assert_array_equal(found[1], grey[1])


def test_holes_have_the_level_and_the_sides_that_were_drawn() -> None:
    numbers = torch.tensor([[7.0, 2, 1, 5, 4, 20, 10, 26, 19], [0.0, 0, 0, 0, 0, 0, 0, 0, 0]])
    found = holes(torch.from_numpy(IMAGES), numbers).numpy()
    expected = IMAGES.copy()
    expected[0, 1:4, 2:5] = 7
    expected[0, 10:19, 20:26] = 7
    np.testing.assert_array_equal(found, expected)
