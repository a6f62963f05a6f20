"""Folds whose label counts and sizes are within one, whole groups held together."""

from __future__ import annotations

import numpy as np
import pytest

from comp.data.folds.starts import DEAL, ITERATIVE
from comp.data.folds.stratify import extend_groups, stratify_groups, stratify_images


def letters(rows: int, classes: int, share: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((rows, classes)) < share).astype(np.int64)


def apart(hot: np.ndarray, fold: np.ndarray, count: int) -> list[int]:
    """The largest difference between two folds: of sizes, then of each label."""
    sizes = np.bincount(fold, minlength=count)
    labels = np.stack([hot[fold == k].sum(axis=0) for k in range(count)])
    return [int(np.ptp(sizes)), *np.ptp(labels, axis=0).tolist()]


@pytest.mark.parametrize("start", [DEAL, ITERATIVE])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rows", "classes", "share"), [(2400, 26, 0.46), (503, 9, 0.1)])
def test_labels_and_sizes_are_within_one(
    rows: int, classes: int, share: float, seed: int, start: str
) -> None:
    hot = letters(rows, classes, share)
    assert max(apart(hot, stratify_images(hot, 5, seed, start), 5)) == 1


def test_labels_are_within_one_whatever_their_shares() -> None:
    draw = np.random.default_rng(3)
    hot = (draw.random((4001, 30)) < np.geomspace(0.001, 0.6, 30)).astype(np.int64)
    assert max(apart(hot, stratify_images(hot, 7, 1), 7)) == 1


@pytest.mark.parametrize("start", [DEAL, ITERATIVE])
def test_groups_are_exchanged_whole_until_labels_are_within_one(start: str) -> None:
    draw = np.random.default_rng(0)
    groups = np.unique(draw.integers(0, 300, 1000), return_inverse=True)[1]
    hot = np.eye(6, dtype=np.int64)[draw.integers(0, 6, 1000)]
    fold = stratify_groups(hot, groups, 5, 7, start)
    assert len(fold) == groups.max() + 1
    assert max(apart(hot, fold[groups], 5)) == 1


def test_each_group_of_a_rare_label_is_in_another_fold() -> None:
    groups = np.repeat(np.arange(60), 5)
    hot = np.zeros((300, 2), dtype=np.int64)
    hot[:, 0] = 1
    rare = {0: 9, 5: 1, 10: 1, 15: 1}  # the last three go to the folds that the first is not in
    for group, images in rare.items():
        hot[np.flatnonzero(groups == group)[: min(images, 5)], 1] = 1
    fold = stratify_groups(hot, groups, 4, 0)
    assert sorted(fold[[*rare]].tolist()) == [0, 1, 2, 3]


def test_many_groups_are_dealt_and_still_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comp.data.folds.stratify._GREEDY", 10)
    draw = np.random.default_rng(0)
    groups = np.unique(draw.integers(0, 700, 1500), return_inverse=True)[1]
    hot = letters(1500, 8, 0.2)
    assert max(apart(hot, stratify_groups(hot, groups, 5, 1)[groups], 5)) <= 2


def test_what_has_a_fold_keeps_it_and_the_new_ones_even_it_out() -> None:
    hot = letters(300, 5, 0.3)
    groups = np.arange(300)
    home = np.where(groups < 200, groups % 4, -1)
    home[:30] = 0  # so that fold 0 is too large before
    fold = extend_groups(hot, groups, home, 4, 1)
    assert fold[:200].tolist() == home[:200].tolist()
    assert np.ptp(np.bincount(fold)) <= 3
    assert max(apart(hot, fold, 4)) < max(apart(hot[:200], home[:200], 4))


def test_sums_in_another_order_give_the_same_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns in another order are added up in another order, as another BLAS would do it."""
    import comp.data.folds.stratify as module

    hot = letters(1200, 13, 0.4)
    plain = module.stratify_images(hot, 5, 3)
    exact = module.Exchanges.__init__

    def as_double(self, units, fold, count, weights, _, there=0):
        exact(self, units, fold, count, weights, np.float64, there)

    monkeypatch.setattr(module.Exchanges, "__init__", as_double)
    assert module.stratify_images(hot, 5, 3).tolist() == plain.tolist()


@pytest.mark.parametrize("start", [DEAL, ITERATIVE])
@pytest.mark.parametrize(
    ("sizes", "count", "rows"),
    [
        ([30, *[3] * 10], 2, [30, 30]),
        ([40, *[4] * 10], 2, [40, 40]),
        ([30, 30, *[2] * 15], 3, [30, 30, 30]),
        ([20, *[1] * 60], 4, [20, 20, 20, 20]),
        ([25, 5, 5, 5, 5, 5], 2, [25, 25]),
    ],
)
@pytest.mark.parametrize("classes", [1, 2])
def test_the_number_of_groups_is_no_aim_where_sizes_suffer(
    sizes: list[int], count: int, rows: list[int], classes: int, start: str
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    hot = np.eye(classes, dtype=np.int64)[np.zeros(len(groups), dtype=np.int64)]
    fold = stratify_groups(hot, groups, count, 0, start)
    assert sorted(np.bincount(fold[groups]).tolist()) == rows


def test_where_sizes_leave_a_choice_the_groups_of_a_rare_label_are_even() -> None:
    """Twelve groups of the same two images; six have the rare label."""
    groups = np.repeat(np.arange(12), 2)
    hot = np.stack([np.ones(24), groups < 6], axis=1).astype(np.int64)
    fold = stratify_groups(hot, groups, 3, 0)
    assert np.bincount(fold[:6]).tolist() == [2, 2, 2]
    assert np.bincount(fold).tolist() == [4, 4, 4]


def test_new_groups_are_divided_by_size_too() -> None:
    sizes = [30, *[3] * 10]
    groups = np.repeat(np.arange(11), sizes)
    home = np.array([0, *[-1] * 10])
    fold = extend_groups(np.ones((60, 1), dtype=np.int64), groups, home, 2, 0)
    assert fold.tolist() == [0, *[1] * 10]
