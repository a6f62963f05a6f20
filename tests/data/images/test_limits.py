"""How large an image may be."""

import pytest

from comp.core.errors import DataError
from comp.data.images.limits import MAX_PIXELS, refuse_bomb


def test_the_largest_size_is_read_and_one_pixel_more_is_not() -> None:
    refuse_bomb(MAX_PIXELS // 1000, 1000)
    with pytest.raises(DataError, match="at most 200 megapixels are read"):
        refuse_bomb(MAX_PIXELS + 1, 1)
