import numpy as np

from comp.report.run.bag_strips import MOST, shown, strip


def test_of_large_bags_the_images_that_counted_most_are_shown_in_their_order() -> None:
    values = np.linspace(-1, 0.5, 30)
    places = shown(values)
    assert len(places) == MOST
    assert places == sorted(places)
    assert {0, 1, 2} <= {*places}
    assert 20 not in places
    assert shown(np.array([0.2, 0.8])) == [0, 1]


def test_bars_are_as_long_as_the_numbers_and_tell_their_sign() -> None:
    images = [np.full((8, 8, 3), 99, np.uint8)] * 3
    picture = strip(images, np.array([1.0, 0.5, -0.25]), weights=False)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 3 * 96 + 2 * 6
    assert (picture[:96, :96] == 99).all()
    bars = picture[100]
    lengths = [(bars[left : left + 96] != 255).any(axis=1).sum() for left in (0, 102, 204)]
    assert lengths == [96, 48, 24]
    assert bars[0].tolist() == bars[102].tolist() != bars[204].tolist()
    assert (strip(images, np.zeros(3), weights=True)[100, :1] != 255).any()  # a trace of a bar
