"""TIFF of several channels, pages and depths."""

from typing import Any

import numpy as np
import pytest
from stack_toys import tiff

from comp.core.errors import DataError
from comp.data.images.stacks.tiff import form_of_tiff, is_tiff, pages_of_tiff, read_tiff

PLANES = np.random.default_rng(0).integers(0, 65536, (16, 32, 5), dtype=np.uint16)


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (PLANES, {"planarconfig": "contig"}),
        (np.moveaxis(PLANES, 2, 0), {"planarconfig": "separate"}),
        (np.moveaxis(PLANES, 2, 0), {}),
        (np.moveaxis(PLANES, 2, 0), {"compression": "lzw"}),
        (np.moveaxis(PLANES, 2, 0), {"compression": "zlib", "predictor": True}),
        (np.moveaxis(PLANES, 2, 0), {"tile": (16, 16)}),
        (np.moveaxis(PLANES, 2, 0), {"bigtiff": True}),
        (np.moveaxis(PLANES, 2, 0), {"byteorder": ">"}),
    ],
    ids=["samples", "planar", "pages", "lzw", "zlib", "tiles", "big", "endian"],
)
def test_channels_and_pages_are_planes(stored: Any, options: dict[str, Any]) -> None:
    content = tiff(stored, **options)
    assert is_tiff(content)
    np.testing.assert_array_equal(read_tiff(content).planes, PLANES)
    assert form_of_tiff(content) == (16, 32, 5)


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.uint8, np.uint32])
def test_every_kind_of_number_is_kept(kind: Any) -> None:
    pixels = (PLANES[..., :2] % 100).astype(kind)
    found = read_tiff(tiff(np.moveaxis(pixels, 2, 0))).planes
    assert found.dtype == kind
    np.testing.assert_array_equal(found, pixels)


def test_grey_pages_are_counted_and_colours_are_not() -> None:
    assert pages_of_tiff(tiff(np.moveaxis(PLANES[..., :3], 2, 0))) == 3
    assert pages_of_tiff(tiff(PLANES[..., :3], photometric="rgb", planarconfig="contig")) == 0


def test_white_may_be_zero() -> None:
    assert read_tiff(tiff(PLANES[..., 0], photometric="miniswhite")).inverted


@pytest.mark.parametrize("cut", [60, 1000])
def test_a_damaged_file_is_an_error(cut: int) -> None:
    with pytest.raises(DataError, match="a TIFF that cannot be (read|decoded)"):
        read_tiff(tiff(np.moveaxis(PLANES, 2, 0))[:cut])
