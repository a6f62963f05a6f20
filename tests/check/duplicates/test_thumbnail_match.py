"""The same frame, turned in eight ways or not at all."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from toys import scene

from comp.check.duplicates.candidate_pairs import frame_codes, same_frame
from comp.check.duplicates.thumbnail_match import WAYS, same_frame_as, turn

SQUARE, WIDE, TALL = (96, 96), (150, 100), (100, 150)


def thumb(seed: int) -> np.ndarray:
    return cv2.cvtColor(scene(seed, 64), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("way", range(WAYS))
def test_every_way_to_turn_a_frame_is_found(way: int) -> None:
    image = thumb(1)
    assert same_frame_as(image, turn(image, way), SQUARE, SQUARE) == way
    np.testing.assert_allclose(*frame_codes(np.array([image, turn(image, way)])), atol=1e-5)


def test_the_eight_ways_differ() -> None:
    assert len({turn(thumb(1), way).tobytes() for way in range(WAYS)}) == 8


def test_exposure_and_compression_do_not_matter() -> None:
    image = cv2.cvtColor(scene(1), cv2.COLOR_RGB2GRAY)
    coded = cv2.imdecode(cv2.imencode(".jpg", image // 2 + 30, [1, 60])[1], cv2.IMREAD_GRAYSCALE)
    small = [cv2.resize(each, (64, 64), interpolation=cv2.INTER_AREA) for each in (image, coded)]
    assert same_frame_as(*small, SQUARE, SQUARE) == 0


def test_other_frames_and_other_shapes_are_not_the_same() -> None:
    assert same_frame_as(thumb(1), thumb(2), SQUARE, SQUARE) is None
    assert same_frame_as(thumb(1), thumb(1), SQUARE, WIDE) is None
    assert same_frame_as(thumb(1), turn(thumb(1), 1), WIDE, WIDE) is None
    assert same_frame_as(thumb(1), turn(thumb(1), 1), WIDE, TALL) == 1


def test_tiny_pictures_must_agree_more() -> None:
    image = thumb(1)
    near = np.clip(image + np.random.default_rng(0).normal(0, 1.5, image.shape), 0, 255)
    near = near.astype(np.uint8)
    assert same_frame_as(image, near, SQUARE, SQUARE) == 0
    assert same_frame_as(image, near, (32, 32), SQUARE) is None
    assert same_frame_as(image, turn(image, 6), (32, 32), (32, 32)) == 6


def test_flat_frames_are_never_the_same() -> None:
    flat = np.full((64, 64), 90, np.uint8)
    assert same_frame_as(flat, flat, SQUARE, SQUARE) is None


def test_candidates_are_the_turned_frames_and_few_others() -> None:
    thumbs = np.array([thumb(seed) for seed in range(30)] + [turn(thumb(7), 5)])
    assert (7, 30) in same_frame(thumbs)
    assert len(same_frame(thumbs)) < 10


def test_an_image_like_very_many_has_a_bounded_number_of_candidates() -> None:
    assert len(same_frame(np.array([thumb(1)] * 60))) <= 60 * 16
