from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.data.folds.held_out import held_out, learned, new_target, with_new
from comp.data.index.index import Index


def index(classes: tuple[str, ...], target: list[int]) -> Index:
    ids = tuple(f"{number:03d}" for number in range(len(target)))
    return Index(ids, tuple(map(Path, ids)), classes, np.array(target))


def test_the_new_class_is_the_last_one_with_images_or_without() -> None:
    found = with_new(index(("a", "new", "z"), [0, 1, 2, 1]), "new")
    assert (found.classes, found.labels.tolist()) == (("a", "z", "new"), [0, 2, 1, 2])
    found = with_new(index(("a", "z"), [0, 1]), "new")
    assert (found.classes, found.labels.tolist()) == (("a", "z", "new"), [0, 1])


def test_each_class_is_left_out_once_at_the_most_and_the_new_one_always() -> None:
    held = held_out(21, 0.1, seed=3, folds=5)
    assert held[:, -1].all()
    assert held[:, :-1].sum(axis=1).tolist() == [2] * 5
    assert held[:, :-1].sum(axis=0).max() == 1
    assert np.array_equal(held, held_out(21, 0.1, seed=3, folds=5))
    assert not np.array_equal(held, held_out(21, 0.1, seed=4, folds=5))
    with pytest.raises(ConfigError, match=r"data.new_share: 0.3 of 4 classes is 1 per fold"):
        held_out(5, 0.3, seed=0, folds=5)


def test_images_of_classes_that_a_fold_does_not_know_are_new_there() -> None:
    target, fold = np.array([0, 1, 2, 3, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    held = np.array([[True, False, False, True], [False, True, False, True]])
    assert new_target(target, fold, held).tolist() == [3, 1, 2, 3, 0, 3]
    assert learned(target, np.array([0, 1, 3, 5]), held[0]).tolist() == [1, 5]
