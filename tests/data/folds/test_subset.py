from pathlib import Path

import numpy as np
import pytest

from comp.config.schema import FoldsConfig
from comp.core.errors import ConfigError
from comp.data.folds.make import make_plan
from comp.data.folds.subset import choose_subset
from comp.data.index.index import Index


def make_index(target: np.ndarray) -> Index:
    classes = target.shape[1] if target.ndim == 2 else int(target.max()) + 1
    ids = tuple(f"{n:05d}" for n in range(len(target)))
    names = tuple(f"c{n}" for n in range(classes))
    return Index(ids, tuple(Path(name) for name in ids), names, target)


def labels(kind: int, count: int = 600) -> np.ndarray:
    draw = np.random.default_rng(0)
    if kind == 1:
        return np.sort(draw.choice(4, size=count, p=[0.7, 0.2, 0.08, 0.02]))
    return (draw.random((count, 8)) < np.linspace(0.05, 0.6, 8)).astype(np.int64)


@pytest.mark.parametrize("kind", [1, 2])
def test_a_subset_looks_like_the_whole_in_every_fold(kind: int) -> None:
    index = make_index(labels(kind))
    plan = make_plan(index, FoldsConfig(count=5), 42)
    subset = choose_subset(index, plan, 103, 42)
    assert len(set(subset.rows.tolist())) == len(subset.rows) == 103
    counts = np.bincount(np.asarray(plan.fold)[subset.rows])
    assert np.abs(counts - np.bincount(np.asarray(plan.fold)) * 103 / 600).max() <= 1
    draw = np.random.default_rng(1)
    hot = np.eye(4)[index.labels] if kind == 1 else index.labels
    random = [
        np.abs(hot[draw.permutation(600)[:103]].mean(0) - hot.mean(0)).max() for _ in range(20)
    ]
    assert subset.distance < min(random)
    gap = np.abs(hot[subset.rows].mean(0) - hot.mean(0))
    assert (subset.distance, subset.worst) == (gap.max(), index.classes[gap.argmax()])


def test_a_subset_is_a_function_of_the_data_and_the_seed() -> None:
    index = make_index(labels(1))
    plan = make_plan(index, FoldsConfig(count=3), 42)
    once, again, other = (choose_subset(index, plan, 60, seed).rows for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    np.testing.assert_array_equal(choose_subset(index, plan, 600, 1).rows, np.arange(600))


@pytest.mark.parametrize("size", [5, 601])
def test_an_impossible_size_is_refused_with_what_is_possible(size: int) -> None:
    index = make_index(labels(1))
    plan = make_plan(index, FoldsConfig(count=3), 42)
    with pytest.raises(ConfigError, match="possible are 6 to 600"):
        choose_subset(index, plan, size, 42)
