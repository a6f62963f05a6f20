"""Geometry by torch beside OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from comp.data.loader.batched.warps import across, down, warp, warp_masks

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (3, 21, 33, 3), dtype=np.uint8)
MASKS = DRAW.integers(0, 4, (3, 21, 33, 2), dtype=np.uint8)
TURN = np.array([[0.9, 0.4, -9.0], [-0.4, 0.9, 7.0], [0.0, 0.0, 1.0]])
LEAN = TURN + np.array([[0, 0, 0], [0, 0, 0], [0.002, -0.003, 0]])


def numbers(matrix: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.linalg.inv(matrix).ravel()] * 3)).float()


def by_cv2(image: np.ndarray, matrix: np.ndarray, how: int) -> np.ndarray:
    size = image.shape[1], image.shape[0]
    return np.asarray(
        cv2.warpPerspective(image, matrix, size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
    )


@pytest.mark.parametrize("matrix", [np.eye(3), TURN, LEAN], ids=["still", "turned", "leant"])
def test_warps_are_those_of_opencv_on_images_that_are_no_squares(matrix: np.ndarray) -> None:
    found = warp(torch.from_numpy(IMAGES), numbers(matrix)).numpy()
    masks = warp_masks(torch.from_numpy(MASKS), numbers(matrix)).numpy()
    for place in range(3):
        expected = by_cv2(IMAGES[place], matrix, cv2.INTER_LINEAR)
        assert np.abs(found[place].astype(int) - expected).max() <= 1
        assert (masks[place] != by_cv2(MASKS[place], matrix, cv2.INTER_NEAREST)).mean() < 0.01


def test_each_image_has_its_own_matrix() -> None:
    mixed = torch.stack([numbers(m)[0] for m in (np.eye(3), TURN, LEAN)])
    found = warp(torch.from_numpy(IMAGES), mixed)
    assert found[0].equal(torch.from_numpy(IMAGES[0]))
    assert found[1].equal(warp(torch.from_numpy(IMAGES), numbers(TURN))[1])


def test_flips_are_those_of_numpy() -> None:
    images, nothing = torch.from_numpy(IMAGES), torch.empty(3, 0)
    np.testing.assert_array_equal(across(images, nothing), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(down(images, nothing), IMAGES[:, ::-1])
