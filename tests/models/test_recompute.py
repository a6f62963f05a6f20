"""Gradient checkpointing changes the memory, and nothing else."""

from __future__ import annotations

from copy import deepcopy

import pytest
import timm
import torch
from torch import nn

from comp.config.schema import ModelConfig
from comp.core.errors import ModelError
from comp.models.recompute import recompute
from comp.models.segmenters import build_segmenter


def trained(module: nn.Module, size: int = 32) -> tuple[list[torch.Tensor], int]:
    """Weights, statistics and gradients after two steps; how many tensors were kept for the
    gradient of the first."""
    torch.manual_seed(0)
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    kept: list[int] = []
    for step in range(2):
        torch.manual_seed(step)
        images = torch.rand(4, 3, size, size)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (kept.append(t.numel()), t)[1], lambda t: t
        ):
            loss = module(images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    return [*module.state_dict().values(), *grads], sum(kept)


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "test_efficientnet"])
def test_weights_and_statistics_are_those_without_it(name: str) -> None:
    size = 224 if "vit" in name else 32
    options = {"drop_rate": 0.3} if "vit" not in name else {"drop_path_rate": 0.2}
    torch.manual_seed(1)
    plain = timm.create_model(name, num_classes=3, **options)
    again = deepcopy(plain)
    recompute(again, name)
    (first, many), (second, few) = trained(plain, size), trained(again, size)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert few < 0.6 * many


def test_a_segmenter_has_it_in_a_timm_encoder_alone() -> None:
    config = ModelConfig(name="unet", encoder="tu-resnet10t", pretrained=False)
    torch.manual_seed(1)
    plain = build_segmenter(config, 2, pretrained=False)
    again = deepcopy(plain)
    recompute(again, "tu-resnet10t")
    (first, many), (second, few) = trained(plain), trained(again)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert few < many
    own = build_segmenter(
        ModelConfig(name="unet", encoder="resnet18", pretrained=False), 2, pretrained=False
    )
    with pytest.raises(ModelError, match=r"train\.grad_checkpointing: resnet18 .* tu-<name>"):
        recompute(own, "resnet18")


def test_a_network_that_cannot_is_told() -> None:
    with pytest.raises(ModelError, match="or set it to false"):
        recompute(nn.Linear(2, 2), "linear")
