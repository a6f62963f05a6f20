"""Arrays of any number of channels."""

import numpy as np
import pytest
from stack_toys import npy

from comp.core.errors import DataError
from comp.data.images.stacks.arrays import read_array_stack


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 1), (7, 9, 5), (5, 7, 9)])
def test_the_shorter_end_axis_is_that_of_the_channels(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 4096, shape, dtype=np.uint16)
    stack = read_array_stack(npy(array))
    expected = array if array.ndim == 3 else array[..., None]
    expected = np.moveaxis(expected, 0, 2) if shape == (5, 7, 9) else expected
    np.testing.assert_array_equal(stack.planes, expected)
    assert stack.mode == f"uint16, {expected.shape[2]} planes"


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((2, 3, 4, 5)), np.zeros((3, 4), bool)])
def test_what_is_no_image_is_told_with_its_shape(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"an array of .*shape .*channels\)"):
        read_array_stack(npy(array))
