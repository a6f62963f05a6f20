import numpy as np

from comp.report.overlay import COLOURS, colour_of, overlay
from comp.tasks.counts import IGNORED

GREY = np.full((9, 9, 3), 100, np.uint8)


def test_what_is_not_marked_is_left_as_it_is() -> None:
    assert (overlay(GREY, np.zeros((9, 9, 1), np.uint8)) == GREY).all()


def test_a_region_has_its_colour_and_outline_and_nothing_beside_it_changes() -> None:
    mask = np.zeros((9, 9, 1), np.uint8)
    mask[2:7, 2:7] = 2
    out = overlay(GREY, mask)
    assert tuple(out[2, 4]) == COLOURS[1]
    assert out[4, 4].tolist() == [round(100 + 0.45 * (c - 100)) for c in COLOURS[1]]
    beside = mask[..., 0] == 0
    assert (out[beside] == 100).all()


def test_the_image_that_is_given_is_not_painted_over() -> None:
    overlay(GREY, np.ones((9, 9, 1), np.uint8))
    assert (GREY == 100).all()


def test_the_last_layer_is_seen_and_what_is_not_judged_is_grey() -> None:
    mask = np.zeros((9, 9, 2), np.uint8)
    mask[:, :5, 0] = 1
    mask[:, 3:5, 1] = 1
    mask[:, 8:, 0] = IGNORED
    out = overlay(GREY, mask)
    assert tuple(out[4, 0]) == colour_of(1)
    assert tuple(out[4, 3]) == colour_of(2)
    assert tuple(out[4, 8]) == (128, 128, 128)
