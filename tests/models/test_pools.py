"""Pools: what each computes, that it learns, networks that have no maps to pool; the maps of all
stages: which are taken, what they hold."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from comp.config.schema import ImageConfig, ModelConfig
from comp.core.errors import ConfigError, ModelError
from comp.models.device import choose_device
from comp.models.networks import build_backbone
from comp.models.pools import OWN, POOLS, Attention, GeM, StageMaps, set_pool

IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


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


def bare(name: str) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0)


@pytest.mark.parametrize("pool", ["own", "max"])
def test_they_are_those_of_timm_pooled_and_the_vector_is_the_last_part(pool: str) -> None:
    network = bare("test_efficientnet").eval()
    found = StageMaps(network, pool, 3, 64, "test_efficientnet")(IMAGES)
    features = timm.create_model("test_efficientnet", features_only=True).eval()
    features.load_state_dict(network.state_dict(), strict=False)
    maps = features(IMAGES)
    pooled = [m.mean((2, 3)) if pool == "own" else m.amax((2, 3)) for m in maps]
    vector = network(IMAGES)
    if pooled[-1].shape[1] == vector.shape[1]:
        pooled.pop()
    assert torch.allclose(found, torch.cat([*pooled, vector], dim=1), atol=1e-5)


SWIN = "swin_tiny_patch4_window7_224"


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit", SWIN])
def test_each_image_has_one_finite_vector_of_its_own(name: str) -> None:
    if name == SWIN:
        network: nn.Module = timm.create_model(name, num_classes=0, img_size=64, window_size=2)
    elif name == "test_vit":
        network = timm.create_model(name, num_classes=0, img_size=64)
    else:
        network = bare(name)
    whole = StageMaps(network, "own", 3, 64, name).eval()
    with torch.inference_mode():
        found, alone = whole(IMAGES), whole(IMAGES[1:2])
        own = whole.inner(IMAGES)
    assert found.dim() == 2
    assert bool(found.isfinite().all())
    assert found.shape[1] > own.shape[1]
    assert torch.allclose(found[:, -own.shape[1] :], own, atol=1e-5)
    assert torch.allclose(found[1:2], alone, atol=1e-4)


def test_of_many_stages_some_are_taken_evenly() -> None:
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=32)
    whole = StageMaps(vit, "own", 3, 32, "vit_tiny_patch16_224")
    assert whole.stages == [2, 5, 8]  # the last, 11, is the vector
    assert whole(torch.rand(1, 3, 32, 32)).shape == (1, 4 * 192)


def test_what_gives_no_maps_is_told() -> None:
    with pytest.raises(ModelError, match=r"model\.maps: net .* Use model\.maps: last"):
        StageMaps(nn.Flatten(), "own", 3, 8, "net")
    with pytest.raises(ConfigError, match=r"model\.pool"):
        StageMaps(bare("test_resnet"), "gam", 3, 64, "test_resnet")


@pytest.mark.parametrize("maps", ["all", "last"])
def test_a_backbone_has_them_as_the_config_says(maps: str) -> None:
    config = ModelConfig(name="test_resnet", pretrained=False, maps=maps)
    net = build_backbone(config, ImageConfig(size=64), choose_device("fp32", where="cpu"))
    assert isinstance(net.module, StageMaps) == (maps == "all")
    assert net.mean == timm.get_pretrained_cfg("test_resnet").mean
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert net.logits(pixels).dim() == 2
