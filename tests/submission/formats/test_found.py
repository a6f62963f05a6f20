import numpy as np
import pytest
from submission_toys import MASKS

from comp.submission.formats.found import objects_of


def test_each_connected_region_is_an_object_with_its_box_and_mean_probability() -> None:
    mask = np.zeros((1, 5, 8), dtype=np.uint8)
    mask[0, 0, 0] = mask[0, 1, 1] = 1  # joined by a corner
    mask[0, 3:5, 5:8] = 1
    mask[0, 4, 0] = 2
    probs = np.zeros((3, 5, 8), dtype=np.float32)
    probs[1], probs[2] = 0.25, 0.75
    probs[1, 0, 0] = 0.75
    found = [
        (one.code, one.box, one.score, int(one.region.sum()))
        for one in objects_of(MASKS, mask, probs)
    ]
    assert found == [
        ("10", (0, 0, 2, 2), 0.5, 2),
        ("10", (5, 3, 3, 2), 0.25, 6),
        ("20", (0, 4, 1, 1), 0.75, 1),
    ]
    assert [one.score for one in objects_of(MASKS, mask, None)] == pytest.approx([1, 1, 1])
