"""NIfTI volumes."""

import gzip

import numpy as np
import pytest
from stack_toys import nifti

from comp.core.errors import DataError
from comp.data.images.stacks.nifti import is_nifti, nifti_size, read_nifti

VOLUME = np.random.default_rng(0).integers(-1000, 1000, (9, 7, 4), dtype=np.int16)


@pytest.mark.parametrize("packed", [False, True])
def test_slices_are_those_along_the_third_axis(packed: bool) -> None:
    content = gzip.compress(nifti(VOLUME)) if packed else nifti(VOLUME)
    stack = read_nifti(content)
    assert is_nifti(content)
    assert nifti_size(content) == (7, 9)
    for number in range(4):
        np.testing.assert_array_equal(stack.planes[..., number], VOLUME[:, :, number].T)
    assert stack.mode == "int16, RAS, 4 slices"


def test_slope_and_intercept_count() -> None:
    found = read_nifti(nifti(VOLUME, slope=0.5, inter=10)).planes
    np.testing.assert_allclose(found[..., 1], VOLUME[:, :, 1].T * 0.5 + 10)


def test_a_damaged_file_is_an_error() -> None:
    packed = gzip.compress(nifti(VOLUME))
    with pytest.raises(DataError, match="a damaged NIfTI file"):
        read_nifti(packed[:-40])
    with pytest.raises(DataError, match="a damaged NIfTI file"):
        read_nifti(nifti(VOLUME)[:-40])


def test_other_packed_files_are_none() -> None:
    assert not is_nifti(gzip.compress(b"a,b\n1,2\n"))
    assert not is_nifti(b"\x1f\x8bbroken")
