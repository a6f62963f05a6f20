from dataclasses import replace

import numpy as np
import pytest
import torch

from comp.core.errors import TuneError
from comp.tasks.kinds import ORDINAL, TASKS, Task, number_link

TASK_LIST = [
    *TASKS.values(),
    *(
        replace(TASKS["ordinal"], name=f"ordinal, {way}", link=link)
        for way, (link, _) in ORDINAL.items()
    ),
]


@pytest.fixture(params=TASK_LIST, ids=[task.name for task in TASK_LIST])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


def test_probabilities_have_the_shape_of_the_logits_and_lie_in_range(task: Task) -> None:
    outputs = task.columns(3) - (task.link.steps != "none")
    logits = torch.linspace(-30, 30, 6 * outputs).reshape(6, outputs)
    probs = task.link.probs(logits.bfloat16())
    assert probs.shape == (6, task.columns(3))
    assert probs.dtype == torch.float32
    assert task.link.measures or ((probs >= 0) & (probs <= 1)).all()
    if task.link.normalized:
        torch.testing.assert_close(probs.sum(1), torch.ones(6))


def test_decisions_have_the_shape_of_the_target(task: Task) -> None:
    columns = task.columns(2)
    space = (3, 4) if task.spatial else ()
    probs = np.random.default_rng(0).random((5, columns, *space))
    labels = task.decide(probs)
    if task.spatial:
        assert labels.shape == (5, task.layers(2), 3, 4)
    else:
        assert labels.shape == ((5,) if task.target_ndim == 1 else (5, columns))
    assert labels.dtype == (np.float64 if task.link.measures else np.int64)


def test_the_neutral_rule_is_half_or_the_largest() -> None:
    assert TASKS["binary"].decide(np.array([[0.5], [0.49]])).tolist() == [1, 0]
    assert TASKS["multilabel"].decide(np.array([[0.5, 0.1]])).tolist() == [[1, 0]]
    assert TASKS["multiclass"].decide(np.array([[0.2, 0.5, 0.3]])).tolist() == [1]


def test_a_rule_shifts_the_decision() -> None:
    probs = np.array([[0.2, 0.5, 0.3]])
    assert TASKS["multiclass"].decide(probs, np.array([0.0, 0.0, 0.3])).tolist() == [2]
    assert TASKS["multilabel"].decide(probs, np.array([0.2, 0.6, 0.1])).tolist() == [[1, 0, 1]]


def test_a_rule_of_another_width_is_refused(task: Task) -> None:
    with pytest.raises(TuneError, match="columns"):
        task.decide(np.full((2, task.columns(2)), 0.5), np.zeros(7))


def test_a_spatial_rule_goes_along_the_classes() -> None:
    link = TASKS["multilabel"].link
    probs = np.full((1, 2, 3, 4), 0.5)
    assert link.decide(probs, np.array([0.4, 0.6]))[0, :, 0, 0].tolist() == [1, 0]


def test_numbers_come_back_from_their_transform_within_their_bounds() -> None:
    link = number_link(1, "log1p", (0.0, 50.0))
    numbers = torch.tensor([[0.0], [9.0], [99.0]])
    inside = link.loss_target(numbers, torch.zeros(3, 2))
    torch.testing.assert_close(inside, numbers.log1p())
    outputs = torch.cat([inside, torch.full((3, 1), 7.0)], dim=1)  # a variance beside each
    torch.testing.assert_close(link.probs(outputs), torch.tensor([[0.0], [9.0], [50.0]]))


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_soft_targets_stay_whole_beside_half_precision(kind: str) -> None:
    """In bf16, 0.3 would be 0.3008."""
    soft, logits = torch.tensor([[0.3, 0.7]]), torch.zeros(1, 2, dtype=torch.bfloat16)
    assert torch.equal(TASKS[kind].link.loss_target(soft, logits), soft)
