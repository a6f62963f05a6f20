"""A frozen body neither learns nor measures; its head does."""

from __future__ import annotations

import torch

from comp.config.schema import ModelConfig
from comp.models.device import choose_device
from comp.models.freezing import set_training_mode
from comp.models.networks import build_net


def network() -> torch.nn.Module:
    config = ModelConfig(name="test_resnet", pretrained=False)
    return build_net(config, 2, 32, choose_device("fp32")).module


def test_the_head_alone_learns_and_batch_norms_of_the_body_keep_their_statistics() -> None:
    module = network()
    set_training_mode(module, head_only=True)
    learning = {name for name, value in module.named_parameters() if value.requires_grad}
    assert learning == {"fc.weight", "fc.bias"}
    assert {name for name, part in module.named_modules() if part.training} == {"fc"}
    before = {name: value.clone() for name, value in module.named_buffers()}
    module(torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in module.named_buffers())


def test_everything_learns_again_afterwards() -> None:
    module = network()
    set_training_mode(module, head_only=True)
    set_training_mode(module, head_only=False)
    assert all(value.requires_grad for value in module.parameters())
    assert all(part.training for part in module.modules())
