from __future__ import annotations

import numpy as np
import torch

from comp.data.images.tiles import stitched, windows


def test_windows_cover_the_length_and_overlap_enough() -> None:
    assert windows(10, 16, 0.5) == [0]
    for length, side, overlap in ((17, 16, 0.25), (100, 16, 0.25), (64, 16, 0.75)):
        starts = windows(length, side, overlap)
        assert starts[0] == 0
        assert starts[-1] == length - side
        assert max(np.diff(starts)) <= side * (1 - overlap) + 1


def test_stitched_windows_of_a_net_without_surroundings_are_the_whole() -> None:
    images = torch.rand(2, 3, 21, 34)
    found = stitched(lambda part: part[:, :2] * 3, images, 8, 0.25)
    torch.testing.assert_close(found, images[:, :2] * 3)
