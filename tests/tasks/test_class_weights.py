"""Class weights of a loss, and the counts that they come from."""

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from comp.tasks.class_weights import class_weights, count_cells, link_weights


def test_inverse_weights_are_those_of_scikit_learn() -> None:
    labels = np.repeat([0, 1, 2], [6, 3, 1])
    want = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights(np.array([6, 3, 1]), "inverse"), want)


def test_effective_weights_follow_the_paper_and_keep_the_mean_over_rows() -> None:
    counts = np.array([90, 10])
    found = class_weights(counts, "effective")
    effective = (1 - 0.99**counts) / (1 - 0.99)
    assert found[1] / found[0] == pytest.approx(effective[0] / effective[1])
    assert (found * counts).sum() / 100 == pytest.approx(1.0)
    assert 1 < found[1] / found[0] < 9


def test_a_class_that_does_not_occur_has_a_weight() -> None:
    for how in ("inverse", "effective"):
        assert np.isfinite(class_weights(np.array([5, 0, 3]), how)).all()


@pytest.mark.parametrize(
    ("link", "target", "how", "pos_weight", "want"),
    [
        ("softmax", [0, 0, 0, 1], "none", None, None),
        ("softmax", [0, 0, 0, 1], "inverse", None, [2 / 3, 2]),
        ("sigmoid", [0, 0, 0, 1], "inverse", None, [[2 / 3], [2]]),
        ("sigmoid", [0, 0, 0, 1], "none", "auto", [[1], [3]]),
        ("sigmoid", [[0, 1], [1, 1]], "none", 4.0, [[1, 1], [4, 4]]),
        ("sigmoid", [[0, 1], [1, 1]], "none", "auto", [[1, 1], [1, 0.5]]),
    ],
)
def test_weights_come_from_the_rows_that_are_given(
    link: str, target: Any, how: str, pos_weight: Any, want: Any
) -> None:
    columns = 2 if link == "softmax" or isinstance(target[0], list) else 1
    found = link_weights(count_cells(np.array(target), link, columns), link, how, pos_weight)
    if want is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, want)


def test_pixels_are_counted_without_those_that_are_not_judged() -> None:
    masks = np.array([[[[0, 1, 2, 255]]]], dtype=np.uint8)
    assert count_cells(masks, "softmax", 3).tolist() == [1, 1, 1]
    cells = np.array([[[[0, 1, 1, 255]], [[0, 0, 1, 255]]]], dtype=np.uint8)
    assert count_cells(cells, "sigmoid", 2).tolist() == [[1, 2], [2, 1]]


def test_unknown_cells_are_not_counted() -> None:
    target = np.array([[1, -1], [0, 1], [-1, 0], [1, -1]])
    assert count_cells(target, "sigmoid", 2).tolist() == [[1, 1], [2, 1]]
    found = link_weights(count_cells(target, "sigmoid", 2), "sigmoid", "none", "auto")
    assert found is not None
    assert found.tolist() == [[1, 1], [0.5, 1]]
