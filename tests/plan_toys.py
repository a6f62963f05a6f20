"""Indexes and plans without any files: what the tests of folds share."""

from pathlib import Path

import numpy as np

from comp.config.schema import FoldsConfig
from comp.data.folds.make import make_plan
from comp.data.index.index import Index


def index_of(target, groups=None, classes=None, ids=None):
    target = np.asarray(target, dtype=np.int64)
    ids = ids or [f"{number:04d}" for number in range(len(target))]
    count = target.shape[1] if target.ndim == 2 else int(target.max()) + 1
    names = classes or tuple("abcdefghij"[:count])
    groups = None if groups is None else tuple(map(str, groups))
    return Index(tuple(ids), tuple(Path(name) for name in ids), names, target, groups)


def plan_of(index, count=2, scheme="auto", seed=42):
    return make_plan(index, FoldsConfig(count=count, scheme=scheme), seed)


def random_index(kind, rows=60, seed=0):
    draw = np.random.default_rng(seed)
    target = draw.integers(0, 2, (rows, 3)) if "multilabel" in kind else draw.integers(0, 3, rows)
    grouped = "group" in kind
    return index_of(target, draw.integers(0, 20, rows) if grouped else None)


def part_of(index: Index, rows: list[int]) -> Index:
    groups = None if index.groups is None else tuple(index.groups[row] for row in rows)
    ids = tuple(index.ids[row] for row in rows)
    return Index(ids, tuple(map(Path, ids)), index.classes, index.labels[rows], groups)
