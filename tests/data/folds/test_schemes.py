"""Each scheme spreads what it is made for, and leaves no fold empty."""

import numpy as np
import pytest
from plan_toys import index_of, plan_of, random_index

from comp.data.folds.plan import balance
from comp.data.folds.schemes import SCHEMES, Scheme, split


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_and_nothing_else_decides(scheme):
    index = random_index(scheme)
    plan = plan_of(index, 4, scheme)
    np.random.seed(0)  # noqa: NPY002  (another global state must not matter)
    assert plan_of(index, 4, scheme).fold.tolist() == plan.fold.tolist()
    assert plan_of(index, 4, scheme, seed=43).fold.tolist() != plan.fold.tolist()


def test_classes_are_spread_evenly():
    index = index_of([0] * 20 + [1] * 10 + [2] * 5)
    made = balance(plan_of(index, 5), index).plain()
    assert made == {
        "rows": [7] * 5,
        "classes": {"a": [4] * 5, "b": [2] * 5, "c": [1] * 5},
        "groups": None,
    }


def test_no_fold_is_empty_when_a_group_holds_nearly_everything():
    index = index_of([0, 1] * 50 + [0, 1], ["big"] * 100 + ["s", "t"])
    plan = plan_of(index, 3)
    assert sorted(balance(plan, index).rows.tolist()) == [1, 1, 100]
    assert "folds of unequal size: 1 to 100 images" in plan.warnings


def test_a_library_that_leaves_a_fold_empty_is_overruled():
    lazy = Scheme(lambda target, *_: np.zeros(len(target)), grouped=True, ndim=None)
    fold = split(lazy, index_of([0, 1, 0, 1, 0, 1], "ppqqrr"), 3, seed=0)
    assert fold[::2].tolist() == fold[1::2].tolist()
    assert sorted(fold[::2].tolist()) == [0, 1, 2]


def test_the_labels_of_groups_are_spread_evenly():
    labels = np.repeat([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], 4, axis=0)
    index = index_of(labels, [number // 2 for number in range(16)])
    made = balance(plan_of(index, 2), index).plain()
    assert made["classes"] == {"a": [2, 2], "b": [2, 2], "c": [2, 2]}
    assert made["groups"] == [4, 4]


@pytest.mark.parametrize(
    "target",
    [
        [[0]] * 3 + [[1]] * 3,  # one column
        [[0, 0]] * 6,  # no label at all
        [[1, 1]] * 6,
        [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
    ],
)
@pytest.mark.parametrize("groups", [None, "ppqqrr"])
def test_odd_shapes_of_labels_are_parted(target, groups):
    index = index_of(target, groups)
    assert balance(plan_of(index, 3), index).rows.tolist() == [2, 2, 2]


def test_one_multilabel_column_is_stratified():
    index = index_of([[0]] * 30 + [[1]] * 10)
    assert balance(plan_of(index, 5), index).plain()["classes"] == {"a": [2] * 5}
