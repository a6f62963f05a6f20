import numpy as np
import pytest

from comp.data.cache.channel_stats import channel_statistics


def test_mean_and_spread_are_those_of_all_pixels_of_the_rows() -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 6, 7, 3)).astype(np.uint8)
    mean, std = channel_statistics(images, np.array([3, 1]))
    pixels = images[[1, 3]].reshape(-1, 3) / 255
    assert mean == pytest.approx(pixels.mean(axis=0))
    assert std == pytest.approx(pixels.std(axis=0))


def test_a_channel_that_never_changes_has_a_spread_to_divide_by() -> None:
    mean, std = channel_statistics(np.full((2, 4, 4, 3), 51, np.uint8), np.arange(2))
    assert mean == pytest.approx((0.2,) * 3)
    assert std == pytest.approx((1e-3,) * 3)
