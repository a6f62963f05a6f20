"""Distances against brute force over all pairs of pixels, and against scipy's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist, directed_hausdorff

from comp.tasks.metrics import METRICS
from comp.tasks.regions.boundaries import band, distances, outline

Array = np.ndarray


def blobs(seed: int, shape: tuple[int, int] = (34, 27)) -> Array:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5)
    return np.asarray(noise > np.quantile(noise, 0.75))


def edge_by_hand(region: Array) -> Array:
    """The pixels of a region with a neighbour by an edge that is outside it, or the image."""
    padded = np.pad(region, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(region & ~inside)


def measured(name: str, truth: Array, labels: Array) -> float:
    """The score of a set of one-class images (N, H, W)."""
    metric = METRICS[name]
    rows = [
        metric.of_image(t[None].astype(np.uint8), p[None].astype(np.uint8), None, 2)
        for t, p in zip(truth, labels, strict=True)
    ]
    return metric.score(np.stack(rows), np.stack(rows), 1)


@pytest.mark.parametrize("seed", range(6))
def test_distances_are_those_of_all_pairs_of_outline_pixels(seed: int) -> None:
    one, other = blobs(seed), blobs(seed + 100)
    assert np.array_equal(np.argwhere(outline(one)), edge_by_hand(one))
    apart = cdist(edge_by_hand(one), edge_by_hand(other))
    found = distances(one, other)
    assert sorted(found[0]) == pytest.approx(sorted(apart.min(axis=1)))
    assert sorted(found[1]) == pytest.approx(sorted(apart.min(axis=0)))
    largest = max(
        directed_hausdorff(a, b)[0]
        for a, b in (
            (edge_by_hand(one), edge_by_hand(other)),
            (edge_by_hand(other), edge_by_hand(one)),
        )
    )
    pair = one[None], other[None]
    assert measured("hausdorff", *pair) == pytest.approx(largest)
    parts = [np.percentile(apart.min(axis=k), 95) for k in (0, 1)]
    assert measured("hausdorff_95", *pair) == pytest.approx(max(parts))
    for tolerance in (1, 3):
        near = np.concatenate([apart.min(axis=k) <= tolerance for k in (0, 1)])
        assert measured(f"surface_dice_{tolerance}", *pair) == pytest.approx(near.mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_band_holds_what_is_near_the_outside(seed: int) -> None:
    one, other = blobs(seed, (60, 50)), blobs(seed + 9, (60, 50))
    bands = []
    for region in (one, other):
        outside = np.argwhere(~np.pad(region, 1)) - 1
        inside = np.argwhere(region)
        near = cdist(inside, outside).min(axis=1) <= 2
        expected = np.zeros_like(region)
        expected[tuple(inside[near].T)] = True
        assert np.array_equal(band(region, 2), expected)
        bands.append(expected)
    assert round(0.02 * math.hypot(60, 50)) == 2
    iou = (bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum()
    assert measured("boundary_iou", one[None], other[None]) == pytest.approx(iou)
    assert measured("image_boundary_iou", one[None], other[None]) == pytest.approx(iou)


def test_what_is_in_one_mask_alone_is_as_far_as_the_image_is_long() -> None:
    something, nothing = blobs(1), np.zeros((34, 27), dtype=bool)
    both = np.stack([something, nothing, nothing]), np.stack([nothing, something, nothing])
    assert measured("hausdorff", *both) == pytest.approx(math.hypot(34, 27))
    assert measured("surface_dice_2", *both) == pytest.approx(1 / 3)  # the third has neither
    assert measured("boundary_iou", *both) == 0
    assert math.isnan(measured("hausdorff", both[0][2:], both[1][2:]))


def test_images_count_by_their_weights() -> None:
    truth = np.stack([blobs(k) for k in range(3)])
    labels = np.stack([blobs(k + 7) for k in range(3)])
    for name in ("hausdorff", "surface_dice_2", "boundary_iou", "image_boundary_iou"):
        metric = METRICS[name]
        rows = np.stack(
            [
                metric.of_image(t[None].astype(np.uint8), p[None].astype(np.uint8), None, 2)
                for t, p in zip(truth, labels, strict=True)
            ]
        )
        again = rows[[0, 0, 2]]
        weighed = metric.score(rows, rows, 1, np.array([2.0, 0.0, 1.0]))
        assert weighed == pytest.approx(metric.score(again, again, 1))
