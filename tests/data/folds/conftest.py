"""A plan on the disk."""

import pytest
from plan_toys import index_of, plan_of

from comp.data.folds.plan_file import save_plan


@pytest.fixture
def saved(tmp_path):
    """A grouped plan on the disk: its index, its two files."""
    index = index_of([0, 1, 0, 1, 0, 1], ["p", "p", "q", "q", "r", "r"])
    paths = tmp_path / "folds/x.csv", tmp_path / "folds/x.json"
    assert save_plan(plan_of(index), index, *paths, replace=False)
    return index, *paths
