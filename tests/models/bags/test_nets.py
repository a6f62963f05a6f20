import itertools
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from cards import Waits

from comp.config.schema import ModelConfig
from comp.models.bags.nets import BagNet, groups_of
from comp.models.bags.pools import POOLS, BagForm
from comp.models.device import Device, choose_device
from comp.models.heads import head_of, set_class_prior
from comp.models.networks import Net, build_net, with_parts

DEVICE = choose_device("fp32")
FORM = BagForm(4, ordered=True, windows=False)


def net(pool: str, form: BagForm = FORM, outputs: int = 3, **more: object) -> Net:
    values = {"name": "test_resnet", "pretrained": False, "pool_bag": pool, "bag_width": 16}
    torch.manual_seed(0)
    return build_net(ModelConfig(**{**values, **more}), outputs, 32, DEVICE, bag=form)  # type: ignore[arg-type]


def bags(count: int, size: int, seed: int = 0) -> torch.Tensor:
    draw = np.random.default_rng(seed).integers(0, 256, (count, size, 32, 32, 3))
    return torch.from_numpy(draw.astype(np.uint8))


def moved(made: Net) -> Net:
    """The same with weights of the tail that are not those of the start."""
    torch.manual_seed(1)
    with torch.no_grad():
        for value in made.module.get_classifier().parameters():  # type: ignore[operator]
            value.add_(0.3 * torch.randn_like(value))
    return made


@pytest.mark.parametrize("windows", [False, True])
def test_groups_hold_every_image(windows: bool) -> None:
    for count, size in itertools.product(range(1, 40), range(1, 12)):
        groups = groups_of(count, size, windows=windows)
        assert {n for group in groups for n in group} == {*range(count)}
        assert len(groups) == -(-count // size)
        for group in groups:
            assert len(group) == size
            assert group == sorted(group)
            assert len({*group}) == min(count, size)
            if windows and count >= size:
                assert group == [*range(group[0], group[0] + size)]


@pytest.mark.parametrize("pool", ["attention", "channels", "gru"])
def test_a_step_on_bags_copies_nothing_to_the_device(pool: str) -> None:
    """On `meta`, from the second step on."""
    nowhere = Device(torch.device("meta"), "fp32", None, scaled=False)
    values = {"name": "test_resnet", "pretrained": False, "pool_bag": pool, "bag_width": 16}
    made = build_net(ModelConfig(**values), 3, 32, nowhere, bag=FORM)  # type: ignore[arg-type]
    made.module.train()
    images = made.to_device(bags(2, 4))
    made.logits(images)
    with Waits() as seen:
        made.logits(images)
    assert (seen.copies, seen.waits) == ([], [])


@pytest.mark.parametrize("pool", POOLS)
@torch.inference_mode()
def test_a_bag_is_read_whole_in_pieces(pool: str) -> None:
    made = moved(net(pool))
    made.module.eval()
    images = bags(1, 11)
    whole = made.logits(made.to_device(images))
    pieces = with_parts(made, 3, "x").logits(made.to_device(images))
    assert whole.shape == (1, 3)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-5)
    for place in range(11):  # each of its images counts, by itself or through the largest feature
        other = images.clone()
        other[0, place] = 255 - other[0, place]
        changed = not torch.allclose(made.logits(made.to_device(other)), whole, atol=1e-7)
        assert changed or pool == "max"


@pytest.mark.parametrize("pool", POOLS)
@torch.inference_mode()
def test_order_matters_where_a_pool_says_so(pool: str) -> None:
    made = moved(net(pool))
    made.module.eval()
    images = bags(2, 4)
    plain = made.logits(made.to_device(images))
    turned = made.logits(made.to_device(images.flip(1)))
    ordered = POOLS[pool].ordered or pool == "transformer"
    assert torch.allclose(plain, turned, atol=1e-5) != ordered


@torch.inference_mode()
def test_a_transformer_without_an_order_knows_none() -> None:
    made = moved(net("transformer", BagForm(4, ordered=False, windows=False)))
    made.module.eval()
    images = bags(2, 4)
    turned = made.logits(made.to_device(images.flip(1)))
    torch.testing.assert_close(made.logits(made.to_device(images)), turned, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_training_sees_what_prediction_sees_of_a_bag_of_that_size(pool: str) -> None:
    made = net(pool, name="test_vit", drop_rate=0.0) if pool != "channels" else net(pool)
    if pool == "channels":
        return  # its first group is the bag itself; batch norm differs between the two
    images = torch.nn.functional.interpolate(
        made.to_device(bags(2, 4)).flatten(0, 1).float(), size=160
    )
    images = images.byte().unflatten(0, (2, 4))
    made = Net(build_vit(pool), DEVICE, (0.5,) * 3, (0.5,) * 3)
    trained = made.logits(images)
    made.module.eval()
    torch.testing.assert_close(made.logits(images), trained, atol=1e-5, rtol=1e-4)


def build_vit(pool: str) -> torch.nn.Module:
    torch.manual_seed(0)
    values = {"name": "test_vit", "pretrained": False, "pool_bag": pool, "bag_width": 16}
    return build_net(ModelConfig(**values), 3, 160, DEVICE, bag=FORM).module  # type: ignore[arg-type]


def test_attention_begins_with_the_mean() -> None:
    images = bags(2, 4)
    logits = [net(pool).logits(made.to_device(images))
              for pool in ("mean", "attention") for made in [net(pool)]]  # fmt: skip
    torch.testing.assert_close(*(value.shape for value in logits))
    made = net("attention")
    made.module.eval()
    features, shape = made.features_of_bags(made.module, made.to_device(images))
    own = features.unflatten(0, shape)
    torch.testing.assert_close(made.module.vectors(own), own.mean(dim=1))


def test_the_head_is_that_of_the_config_and_begins_at_the_class_prior() -> None:
    made = net("gru", head="mlp", hidden=24)
    assert isinstance(made.module, BagNet)
    assert [type(part).__name__ for part in made.module.last] == [
        "Linear", "ReLU", "Dropout", "Linear",
    ]  # fmt: skip
    assert head_of(made.module) is made.module.tail
    set_class_prior(made.module, ModelConfig(), [0.1, 0.2, 0.3])
    assert made.module.last[3].bias.tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_weights_of_a_network_of_images_are_taken(tmp_path: Path) -> None:
    torch.manual_seed(5)
    donor = timm.create_model("test_resnet", num_classes=7)
    torch.save(donor.state_dict(), tmp_path / "w.pt")
    made = net("mean", weights=str(tmp_path / "w.pt"))
    name = "conv1.0.weight" if "conv1.0.weight" in donor.state_dict() else "conv1.weight"
    torch.testing.assert_close(made.module.inner.state_dict()[name], donor.state_dict()[name])
    wide = net("channels", weights=str(tmp_path / "w.pt"))
    own = wide.module.inner.state_dict()[name]
    assert own.shape[1] == 12  # timm repeats the three channels, and keeps their sum
    torch.testing.assert_close(own[:, :3], donor.state_dict()[name] / 4)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_layers_further_from_the_tail_learn_slower(name: str) -> None:
    from comp.config.schema import TrainConfig
    from comp.train.optim import make_optimizer

    config = ModelConfig(name=name, pretrained=False, pool_bag="attention", bag_width=8)
    made = build_net(config, 2, 160, DEVICE, bag=FORM)
    optimizer = make_optimizer(made.module, TrainConfig(layer_decay=0.5))
    rates = {
        id(value): group["lr_scale"]
        for group in optimizer.param_groups
        for value in group["params"]
    }
    named = dict(made.module.named_parameters())
    assert {rates[id(value)] for n, value in named.items() if n.startswith("tail")} == {1.0}
    first = next(value for n, value in named.items() if n.startswith("inner") and value.dim() > 1)
    assert rates[id(first)] < 0.5
