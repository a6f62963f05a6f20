"""Local features: what matches and what must not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from toys import scene

from comp.check.duplicates.sift import MIRROR, NO_MATCH, Features, compare, find_features


def turned(pixels: np.ndarray, degrees: float, scale: float = 1.0) -> np.ndarray:
    height, width = pixels.shape[:2]
    spin = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return cv2.warpAffine(pixels, spin, (width, height))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: turned(image, 25),
        lambda image: turned(image, 0, 1.3),
        lambda image: np.clip(image * 0.4 + 20, 0, 255).astype(np.uint8),
        lambda image: image[20:180, 30:190],
    ],
    ids=["rotated", "nearer", "darker", "cropped"],
)
def test_one_scene_seen_twice_agrees_in_many_features(change) -> None:
    image = scene(1)
    assert compare(find_features(image), find_features(change(image))).agree >= 30


def test_other_scenes_do_not_agree() -> None:
    features = [find_features(scene(seed)) for seed in range(6)]
    assert {compare(a, b) for a in features for b in features if a is not b} == {NO_MATCH}


def test_a_mirror_image_agrees_only_when_it_is_mirrored() -> None:
    image = scene(2)
    plain, mirror = find_features(image), find_features(np.ascontiguousarray(image[:, ::-1]))
    assert compare(plain, mirror) == NO_MATCH
    assert compare(plain, mirror, mirrored=True).agree >= 30


def test_mirroring_twice_changes_nothing() -> None:
    assert MIRROR[MIRROR].tolist() == list(range(128))


@pytest.mark.parametrize("side", [32, 48])
def test_a_stamp_in_two_pictures_is_no_copy(side: int) -> None:
    one, two, stamp = scene(3), scene(4), scene(5, side)
    one[:side, :side] = two[-side:, -side:] = stamp
    assert compare(find_features(one), find_features(two)) == NO_MATCH


@pytest.mark.parametrize(("box", "agree"), [(100, 0), (200, 50)])
def test_what_agrees_on_a_small_spot_only_is_nothing(box: int, agree: int) -> None:
    draw = np.random.default_rng(0)
    points = draw.uniform(0, box, (50, 2)).astype(np.float32)
    words = draw.integers(0, 256, (50, 128)).astype(np.uint8)
    assert compare(Features(points, words), Features(points + 20, words)).agree == agree


@pytest.mark.parametrize("shape", [(1, 1), (4, 4000), (64, 64)])
def test_an_image_without_structure_has_no_features(shape: tuple[int, int]) -> None:
    features = find_features(np.full((*shape, 3), 200, np.uint8))
    assert len(features) == 0
    assert compare(features, features) == NO_MATCH
