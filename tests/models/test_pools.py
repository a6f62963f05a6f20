"""Pools: what each computes, that it learns, and networks that have no maps to pool."""

from __future__ import annotations

import pytest
import timm
import torch

from comp.core.errors import ConfigError, ModelError
from comp.models.pools import OWN, POOLS, Attention, GeM, set_pool


def test_gem_lies_between_mean_and_maximum() -> None:
    maps = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    gem = GeM()
    found = gem(maps)
    assert found.shape == (2, 3, 1, 1)
    assert bool((found >= maps.mean((2, 3), keepdim=True)).all())
    assert bool((found <= maps.amax((2, 3), keepdim=True)).all())
    with torch.no_grad():
        gem.power.fill_(1.0)
    assert torch.allclose(gem(maps), maps.mean((2, 3), keepdim=True))


def test_attention_begins_with_the_mean_and_can_look_at_one_place() -> None:
    maps = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    pool = Attention(3)
    assert torch.allclose(pool(maps), maps.mean((2, 3), keepdim=True))
    with torch.no_grad():
        pool.score.weight[0, 0] = 1e4
    place = maps[0, 0].argmax()
    assert torch.allclose(pool(maps)[0, :, 0, 0], maps[0].flatten(1)[:, place])


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_every_pool_is_taken_and_has_gradients(name: str, pool: str) -> None:
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=3)
    set_pool(module, pool, name)
    module(torch.rand(2, 3, 64, 64)).sum().backward()
    own = [p for n, p in module.named_parameters() if "power" in n or "score" in n]
    assert len(own) == {"gem": 1, "attention": 2}.get(pool, 0)
    assert all(p.grad is not None for p in own)


def test_what_cannot_be_is_told() -> None:
    module = timm.create_model("test_vit", num_classes=3)
    set_pool(module, OWN, "test_vit")
    with pytest.raises(ModelError, match="pools no maps"):
        set_pool(module, "gem", "test_vit")
    with pytest.raises(ConfigError, match=r"model\.pool"):
        set_pool(module, "gam", "test_vit")
