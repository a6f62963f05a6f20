"""Rows, classes and groups of each fold are counted."""

import numpy as np
import pytest
from plan_toys import index_of, plan_of
from toys import SHARED

from comp.config.schema import DataConfig
from comp.data.folds.plan import balance
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS

real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")


def test_groups_are_counted():
    index = index_of([0, 1] * 6, [number // 2 for number in range(12)])
    made = balance(plan_of(index, 3), index).plain()
    assert made["rows"] == [4, 4, 4]
    assert made["groups"] == [2, 2, 2]


@real
def test_the_classes_of_real_groups_are_balanced():
    signs = DataConfig(root=str(SHARED / "signs"), target="label", group="student")
    index = read_index(signs, TASKS["multiclass"])
    plan = plan_of(index, 5)
    made = balance(plan, index)
    assert plan.warnings == ()
    assert all(np.ptp(counts) <= 3 for counts in made.classes.values())
