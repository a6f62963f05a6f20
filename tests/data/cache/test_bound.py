"""The files of an image as one row of a pack."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from stack_toys import dicom, nifti, npy

from comp.core.errors import DataError
from comp.data.cache.bound import bound, bound_apart, bound_slices
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import develop
from comp.data.index.sources import Source

VOLUME = np.random.default_rng(0).integers(-1000, 1000, (40, 30, 9), dtype=np.int16)


def test_a_simple_image_is_its_file() -> None:
    source = Source.of(Path("a.png"))
    assert bound([b"abc"], source, PixelForm()) == b"abc"
    assert bound_apart(b"abc", source) == [b"abc"]


def test_several_files_come_apart_again() -> None:
    source = Source((Path("a"), Path("b"), Path("c")), (None,) * 3)
    contents = [b"abc", b"", b"\x00" * 300]
    assert bound_apart(bound(contents, source, PixelForm()), source) == contents


def test_of_a_volume_only_the_slice_and_its_neighbours_are_kept() -> None:
    content = gzip.compress(nifti(VOLUME))
    form = PixelForm(3, 16, (-1000.0, 1000.0))
    source = Source((Path("v.nii.gz"), Path("a.npy")), (4, None))
    both = PixelForm(6, 16, (-1000.0, 1000.0))
    contents = [content, npy(np.transpose(VOLUME, (1, 0, 2))[..., :3])]
    row = bound(contents, source, both)
    parts = bound_apart(row, source)
    assert len(parts[0]) < 3 * 40 * 30 * 2 + 200
    expected = develop(contents, both, source.slices)
    np.testing.assert_array_equal(develop(parts, both, bound_slices(source)), expected)
    np.testing.assert_array_equal(expected[..., :3], develop([content], form, [4]))


def test_a_frame_with_a_window_of_its_own_is_not_kept_as_an_array() -> None:
    frames = dicom(np.moveaxis(VOLUME, 2, 0), WindowCenter="40", WindowWidth="80")
    source = Source((Path("a.dcm"),), (2,))
    with pytest.raises(DataError, match="set image.pack to memmap or none"):
        bound([frames], source, PixelForm(1))
