import numpy as np

from comp.tasks.regions.layers import cropped, layers


def test_each_class_has_its_regions_and_ignored_pixels_are_in_neither() -> None:
    truth = np.array([[[0, 1, 2], [255, 2, 1]]], dtype=np.uint8)
    labels = np.array([[[1, 1, 0], [2, 2, 2]]], dtype=np.uint8)
    found = {
        column: (true.tolist(), said.tolist()) for column, true, said in layers(truth, labels, 3)
    }
    assert found[1] == ([[0, 1, 0], [0, 0, 1]], [[1, 1, 0], [0, 0, 0]])
    assert found[2] == ([[0, 0, 1], [0, 1, 0]], [[0, 0, 0], [0, 1, 1]])
    assert sorted(found) == [1, 2]
    two = np.array([[[1, 0]], [[1, 255]]], dtype=np.uint8)
    pairs = [(c, t.tolist(), s.tolist()) for c, t, s in layers(two, np.ones_like(two), 2)]
    assert pairs == [(0, [[True, False]], [[True, True]]), (1, [[True, False]], [[True, False]])]


def test_the_cut_holds_both_with_a_border() -> None:
    one, other = np.zeros((2, 9, 9), dtype=bool)
    one[2, 3], other[5, 7] = True, True
    cut = cropped(one, other)
    assert cut[0].shape == (6, 7)
    assert [tuple(np.argwhere(part)[0]) for part in cut] == [(1, 1), (4, 5)]
