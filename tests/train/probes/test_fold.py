"""Strengths of probes are chosen on parts that hold whole groups; foreign checkpoints are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comp.core.errors import RunError
from comp.train.probes.fold import inner_parts, load_probe


def test_the_parts_are_the_other_folds_of_the_plan() -> None:
    assert inner_parts(np.array([0, 2, 2, 3, -1]), None, 42, 1).tolist() == [0, 2, 2, 3, -1]


def test_without_other_folds_whole_groups_are_dealt_out() -> None:
    groups = [f"g{number % 12}" for number in range(60)]
    parts = inner_parts(np.full(60, -1), groups, 42, 0)
    assert {*parts.tolist()} == {0, 1, 2, 3, 4}
    assert all(len({*parts[number::12].tolist()}) == 1 for number in range(12))
    assert (parts == inner_parts(np.full(60, -1), groups, 42, 0)).all()
    assert (parts != inner_parts(np.full(60, -1), groups, 43, 0)).any()


def test_a_checkpoint_of_another_kind_is_told() -> None:
    state = {"layer.weight": torch.zeros(1, 4), "layer.bias": torch.zeros(1)}
    with pytest.raises(RunError, match="fold 3 is no probe 'logistic'"):
        load_probe({"model": state, "fold": 3}, "logistic")
    with pytest.raises(RunError, match="no probe 'knn'"):
        load_probe({"model": state, "fold": 3}, "knn")
