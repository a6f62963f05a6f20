"""Buffers that come back, and a moving average that is timm's."""

from __future__ import annotations

import torch
from timm.utils import ModelEmaV3
from torch import nn

from comp.train.hardware.tensors import Average, Buffers, copy_all


def network() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    module[2].register_buffer("table", torch.arange(3), persistent=False)
    return module


def learn(module: nn.Module, step: int) -> None:
    """Move weights and statistics a little."""
    torch.manual_seed(step)
    module(torch.randn(8, 4))
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.1 * torch.randn_like(value))


def test_the_average_is_that_of_timm() -> None:
    module = network()
    ours = ModelEmaV3(module, decay=0.9, use_warmup=True)
    theirs = ModelEmaV3(module, decay=0.9, use_warmup=True)
    average, buffers = Average(ours, module), Buffers(module)
    for step in range(1, 5):
        learn(module, step)
        average.update(step, buffers.live)
        theirs.update(module, step=step)
    mine, other = ours.module.state_dict(), theirs.module.state_dict()
    assert [*mine] == [*other]
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert mine["1.num_batches_tracked"] == 4


def test_the_average_takes_the_buffers_that_it_is_given() -> None:
    module = network()
    ours = ModelEmaV3(module, decay=0.9)
    average, buffers = Average(ours, module), Buffers(module)
    learn(module, 1)
    kept = buffers.keep()
    learn(module, 2)  # the forward pass of the next step
    average.update(3, kept)
    assert ours.module.state_dict()["1.num_batches_tracked"] == 1


def test_the_last_two_states_of_the_buffers_can_be_put_back() -> None:
    module = network()
    buffers = Buffers(module)
    counted = module[1].num_batches_tracked
    kept = []
    for step in range(3):
        learn(module, step)
        kept.append(buffers.keep())
    assert kept[0] is kept[2]
    buffers.restore(kept[1])
    assert counted == 2
    buffers.restore(kept[2])
    assert counted == 3


def test_tensors_of_several_types_are_copied() -> None:
    into = [torch.zeros(2), torch.zeros(1, dtype=torch.int64), torch.zeros(1)]
    copy_all(into, [torch.ones(2), torch.tensor([7]), torch.tensor([0.5])])
    assert [value.tolist() for value in into] == [[1.0, 1.0], [7], [0.5]]
    copy_all([], [])
