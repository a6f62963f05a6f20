"""Noise that is a function of a seed and the place."""

from __future__ import annotations

import random

import albumentations as A
import numpy as np

from comp.data.loader.noise import SEEDS, Noise, noise_of


def test_it_has_the_moments_of_noise_and_no_pattern() -> None:
    found = [noise_of(number, 60_000) for number in (0, 1, 7, SEEDS - 1)]
    for values in found:
        assert abs(values.mean()) < 0.02
        assert abs(values.std() - 1) < 0.02
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.02
        assert abs(np.mean(values**3)) < 0.05
    assert max(abs(np.corrcoef(a, b)[0, 1]) for a in found for b in found if a is not b) < 0.02


def test_a_pattern_is_the_same_for_a_part_of_it() -> None:
    np.testing.assert_array_equal(noise_of(5, 100), noise_of(5, 1000)[:100])


def test_it_draws_as_the_noise_of_albumentations_does() -> None:
    states = []
    for transform in (Noise((0.1, 0.2), p=1.0), A.GaussNoise((0.1, 0.2), p=1.0)):
        draws = np.random.default_rng(3), random.Random(3)
        transform.set_random_state(*draws)
        image = transform(image=np.full((20, 20, 3), 128, np.uint8))["image"]
        states.append((draws[0].bit_generator.state, draws[1].getstate()))
        assert 255 * 0.08 < image.astype(float).std() < 255 * 0.22
        assert abs(image.mean() - 128) < 3
    assert states[0] == states[1]


def test_floats_get_the_noise_of_bytes() -> None:
    image = np.full((20, 20, 5), 128, np.uint8)
    found = []
    for pixels in (image, image.astype(np.float32) / 255):
        transform = Noise((0.05, 0.1), p=1.0)
        transform.set_random_state(np.random.default_rng(3), random.Random(3))
        found.append(transform(image=pixels)["image"])
    assert found[1].dtype == np.float32
    assert np.abs(found[0] - 255 * found[1]).max() <= 0.51
    assert found[0].std() > 10
