"""What a file holds before it is scaled."""

import numpy as np

from comp.data.images.stacks.stack import as_planes, linear


def test_grey_pixels_are_one_plane() -> None:
    assert as_planes(np.zeros((4, 5))).shape == (4, 5, 1)
    assert as_planes(np.zeros((4, 5, 2))).shape == (4, 5, 2)


def test_a_window_is_even_between_its_ends_and_cut_beyond() -> None:
    found = linear(40, 80)(np.array([-50, 0, 20, 40, 80, 81]))
    np.testing.assert_allclose(found, [0, 0, 0.25, 0.5, 1, 1])
