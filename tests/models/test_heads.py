"""Heads: one per attribute, initial weights, and networks that have none."""

import pytest
import timm
import torch
from torch import nn

from comp.config.schema import ModelConfig
from comp.core.errors import ConfigError, ModelError
from comp.models.device import choose_device
from comp.models.heads import (
    Attributes,
    Cosine,
    attribute_levels,
    dress_head,
    head_of,
    set_class_prior,
    tail_of,
)
from comp.models.networks import build_net
from comp.tasks.grades import Steps

CLASSES = tuple(f"{a}|{b}" for a in "xyz" for b in ("<30", "30-59"))


def test_joint_probabilities_are_products_of_those_of_the_attributes() -> None:
    outputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    joint = Attributes(attribute_levels(CLASSES))(outputs).softmax(1)
    first, second = outputs[:, :3].softmax(1), outputs[:, 3:].softmax(1)
    torch.testing.assert_close(joint, (first[:, :, None] * second[:, None, :]).flatten(1))


def test_cross_entropy_of_the_joint_class_is_the_sum_over_attributes() -> None:
    outputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([0, 3, 4, 5])
    entropy = nn.functional.cross_entropy
    found = entropy(Attributes(attribute_levels(CLASSES))(outputs), target)
    want = entropy(outputs[:, :3], target // 2) + entropy(outputs[:, 3:], target % 2)
    torch.testing.assert_close(found, want)


def test_classes_that_do_not_exist_get_nothing() -> None:
    levels = attribute_levels(CLASSES[:-1])
    joint = Attributes(levels)(torch.randn(2, 5)).softmax(1)
    assert joint.shape == (2, 5)
    torch.testing.assert_close(joint.sum(1), torch.ones(2))


@pytest.mark.parametrize("classes", [("cat", "dog"), ("a|b", "c")])
def test_classes_that_are_not_joined_are_refused(classes: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"model\.heads: attributes needs classes.*joined"):
        tail_of(ModelConfig(heads="attributes"), 2, classes, 0, "none")


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("heads", ["one", "attributes"])
def test_every_sort_of_network_takes_a_head(name: str, heads: str) -> None:
    config = ModelConfig(
        name=name, pretrained=False, head="mlp", hidden=9, init="kaiming", heads=heads
    )
    net = build_net(config, 6, 96, choose_device("fp32"), CLASSES)
    images = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8)
    assert net.logits(net.to_device(images)).shape == (2, 6)
    inner = [m for m in head_of(net.module).modules() if isinstance(m, nn.Linear)]
    assert [m.out_features for m in inner] == [9, 5 if heads == "attributes" else 6]
    assert all(bool((m.bias == 0).all()) for m in inner)


def test_a_network_without_a_head_is_refused() -> None:
    module = timm.create_model("test_resnet", num_classes=0)
    with pytest.raises(ModelError, match="has no last layer of its own"):
        dress_head(module, ModelConfig(head="mlp"))


@pytest.mark.parametrize("outputs", [1, 10])
@pytest.mark.parametrize(
    "name", ["efficientnet_b0", "resnet18", "convnext_atto", "vit_tiny_patch16_224"]
)
def test_the_first_logits_are_small_and_at_the_class_prior(name: str, outputs: int) -> None:
    """timm starts efficientnet_b0 with weights of 1 / sqrt(outputs): its logits spread widely."""
    torch.manual_seed(0)
    config = ModelConfig(name=name, pretrained=False, init="auto")
    net = build_net(config, outputs, 64, choose_device("fp32"))
    prior = [-2.0 + 0.1 * place for place in range(outputs)]
    set_class_prior(net.module, config, prior)
    net.module.eval()
    images = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        logits = net.logits(net.to_device(images)).float()
    assert (logits - torch.tensor(prior)).abs().max() < 1.0
    assert head_of(net.module) is not None


def test_other_initial_weights_keep_their_bias() -> None:
    config = ModelConfig(name="test_resnet", pretrained=False, init="xavier")
    net = build_net(config, 3, 32, choose_device("fp32"))
    set_class_prior(net.module, config, [1.0, 2.0, 3.0])
    bias = head_of(net.module).bias
    assert isinstance(bias, torch.Tensor)
    assert bias.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("steps", ["fixed", "learned"])
def test_a_network_of_grades_gives_one_number_in_steps(steps: Steps) -> None:
    config = ModelConfig(name="test_resnet", pretrained=False, init="auto")
    net = build_net(config, 4, 32, choose_device("fp32"), steps=steps)
    if steps == "learned":
        set_class_prior(net.module, config, [2.0, 0.5, -1.0])
    net.module.eval()
    with torch.no_grad():
        images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
        found = net.logits(net.to_device(images)).diff(dim=1)
    want = [-1.0, -1.0] if steps == "fixed" else [-1.5, -1.5]
    torch.testing.assert_close(found, torch.tensor([want, want]))


def test_cosines_are_of_the_nearest_centre_of_each_class() -> None:
    head = Cosine(4, 3, 2, 30.0)
    rows = torch.randn((5, 4), generator=torch.Generator().manual_seed(0))
    found = head(rows)
    cosines = nn.functional.cosine_similarity(rows[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(found, 30 * cosines.view(5, 3, 2).amax(2))
    torch.testing.assert_close(head(7 * rows), found)  # only the direction counts


def test_cosines_take_the_place_of_the_last_layer() -> None:
    config = ModelConfig(name="test_resnet", pretrained=False, head="cosine", centres=3)
    net = build_net(config, 4, 32, choose_device("fp32"), tuple("abcd"))
    head = head_of(net.module)
    assert isinstance(head, Cosine)
    assert head.weight.shape[0] == 12
    assert net.module(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
