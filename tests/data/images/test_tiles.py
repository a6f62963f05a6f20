from __future__ import annotations

import numpy as np
import torch
from cards import Waits

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


def test_tiles_go_through_the_network_together() -> None:
    seen: list[int] = []

    def logits(part: torch.Tensor) -> torch.Tensor:
        seen.append(len(part))
        return part[:, :1]

    stitched(logits, torch.rand(1, 3, 20, 20), 8, 0.25)  # three by three
    assert seen == [8, 1]
    seen.clear()
    stitched(logits, torch.rand(3, 3, 20, 8), 8, 0.25)
    assert seen == [6, 3]
    seen.clear()
    stitched(logits, torch.rand(20, 3, 20, 8), 8, 0.25)
    assert seen == [20] * 3


def test_the_weights_of_tiles_are_copied_to_the_device_once() -> None:
    images = torch.zeros((1, 3, 21, 34), device="meta")
    stitched(lambda part: part[:, :1], images, 8, 0.25)
    with Waits() as seen:
        stitched(lambda part: part[:, :1], images, 8, 0.25)
    assert (seen.copies, seen.waits) == ([], [])
