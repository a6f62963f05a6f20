"""The tasks of one network and the link that puts their columns together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comp.config.tasks import TaskConfig
from comp.core.errors import ConfigError
from comp.tasks.several.parts import (
    column_names,
    known_rows,
    own_target,
    parts_of,
    several_link,
    units_of,
)

NAN = float("nan")
TASKS = (
    TaskConfig(name="worn", kind="binary", classes=("no", "yes"), metric="macro_f1"),
    TaskConfig(name="kind", kind="multiclass", classes=("a", "b", "c"), metric="accuracy"),
    TaskConfig(name="seen", kind="multilabel", columns=("x", "y"), metric="macro_f1"),
    TaskConfig(name="age", kind="regression", metric="mae"),
)
TARGET = np.array([[1, 0, 0, 1, 1, NAN, 30.0], [NAN, 1, 0, 0, NAN, NAN, 50.0]])


def test_columns_are_blocks_with_names() -> None:
    parts = parts_of(TASKS)
    names = [name for part in parts for name in column_names(part)]
    assert names == ["worn=yes", "kind=a", "kind=b", "kind=c", "seen=x", "seen=y", "age"]
    assert [part.block for part in parts] == [slice(0, 1), slice(1, 4), slice(4, 6), slice(6, 7)]


def test_targets_of_each_task_and_what_is_known() -> None:
    worn, kind, seen, age = parts_of(TASKS)
    assert [known_rows(part, TARGET).tolist() for part in (worn, kind, seen, age)] == [
        [True, False],
        [True, True],
        [True, False],
        [True, True],
    ]
    assert own_target(kind, TARGET).tolist() == [2, 0]
    assert own_target(seen, TARGET[:1]).tolist() == [[1, -1]]
    assert own_target(age, TARGET).tolist() == [[30.0], [50.0]]


def test_the_link_works_task_by_task() -> None:
    link = several_link(parts_of(TASKS))
    logits = torch.tensor([[0.0, 1.0, 1.0, 1.0, 5.0, -5.0, 42.0]])
    probs = link.probs(logits).numpy()
    assert probs[0, :4] == pytest.approx([0.5, 1 / 3, 1 / 3, 1 / 3])
    assert probs[0, 6] == 42.0
    rule = link.neutral(7)
    assert rule.tolist() == [0.5, 0, 0, 0, 0.5, 0.5, 0]
    assert link.decide(probs, rule).tolist() == [[1, 1, 0, 0, 1, 0, 42.0]]
    rule[3] = 0.1
    assert link.shown(probs, rule)[0, 7:].tolist() == [1, 0, 0, 1, 1, 0, 42.0]


def test_a_network_begins_at_the_class_prior_and_the_mean() -> None:
    shift, scale = units_of(parts_of(TASKS), TARGET)
    assert shift[6] == 40.0
    assert scale.tolist() == [1, 1, 1, 1, 1, 1, 10.0]
    assert np.exp(shift[1:4]) == pytest.approx([0.5, 0.001, 0.5])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"kind": "multiclass"}, "tasks: t: kind multiclass needs its classes"),
        ({"kind": "ordinal"}, "the lowest first"),
        ({"kind": "binary", "columns": ("a", "b")}, "kind binary has one column of labels"),
        ({"kind": "binary", "classes": ("a", "b", "c")}, "kind binary has two classes, not 3"),
        ({"kind": "regression", "classes": ("a",)}, "kind regression has one for each column"),
        ({"kind": "binary", "loss": "mse"}, "tasks: t: loss: 'mse' is for identity"),
        ({"kind": "binary", "loss": "soft_f1"}, "not for several tasks"),
    ],
)
def test_what_a_task_cannot_be(given: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        parts_of([TaskConfig(**{"name": "t", "metric": "accuracy", **given})])


def test_a_column_has_one_task() -> None:
    twice = [TASKS[3], TaskConfig(name="b", kind="regression", columns=("age",), metric="mae")]
    with pytest.raises(ConfigError, match="two have the column 'age'"):
        parts_of(twice)
