"""The loss of several tasks."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from comp.config.tasks import TaskConfig
from comp.tasks.losses import Terms
from comp.tasks.several.losses import sum_of_tasks
from comp.tasks.several.parts import parts_of

PARTS = parts_of(
    [
        TaskConfig(name="worn", kind="binary", weight=2.0, metric="accuracy"),
        TaskConfig(name="kind", kind="multiclass", classes=("a", "b"), metric="accuracy"),
        TaskConfig(name="age", kind="regression", metric="mae", weight=0.5),
    ]
)
SPREAD = torch.tensor([1.0, 1.0, 1.0, 10.0])
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([[i % 2, i % 3 == 0, i % 3 != 0, 10.0 * i] for i in range(6)])


def by_hand(logits: torch.Tensor, target: torch.Tensor) -> float:
    bce = binary_cross_entropy_with_logits(logits[:, 0], target[:, 0])
    ce = cross_entropy(logits[:, 1:3], target[:, 1:3])
    mse = ((logits[:, 3] - target[:, 3]) / 10).square().mean()
    return float(2 * bce + ce + 0.5 * mse)


@pytest.mark.parametrize("gaps", [False, True])
def test_it_is_the_weighted_sum(gaps: bool) -> None:
    loss = sum_of_tasks(Terms(parts=PARTS, spread=SPREAD, gaps=gaps))
    assert float(loss(LOGITS, TARGET)) == pytest.approx(by_hand(LOGITS, TARGET), rel=1e-5)


def test_an_unknown_label_costs_nothing_and_parts_add_up() -> None:
    loss = sum_of_tasks(Terms(parts=PARTS, spread=SPREAD, gaps=True))
    target = TARGET.clone()
    target[1, 1:3] = float("nan")
    target[4, 3] = float("nan")
    logits = LOGITS.clone().requires_grad_()
    whole = loss(logits, target)
    whole.backward()
    assert logits.grad is not None
    assert logits.grad[1, 1:3].tolist() == [0, 0]
    assert logits.grad[4, 3] == 0
    assert (logits.grad[[0, 2, 3, 5]] != 0).all()
    halves = (loss(LOGITS[:2], target[:2]) * 2 + loss(LOGITS[2:], target[2:]) * 4) / 6
    assert float(halves) == pytest.approx(float(whole.detach()), rel=1e-5)
