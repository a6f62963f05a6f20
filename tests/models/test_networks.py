from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from comp.config.schema import ImageConfig, ModelConfig
from comp.core.errors import ModelError
from comp.models.device import choose_device
from comp.models.networks import build_net, for_images, load_weights, noise

DEVICE = choose_device("fp32")


def config(**over: Any) -> ModelConfig:
    return ModelConfig(**{"name": "test_resnet", "pretrained": False, **over})


def test_the_number_of_outputs_is_the_one_asked_for() -> None:
    net = build_net(config(), 7, 32, DEVICE)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    assert net.logits(net.to_device(images)).shape == (2, 7)


def test_images_are_normalised_with_the_networks_own_mean_and_spread() -> None:
    net = build_net(config(name="test_efficientnet"), 2, 32, DEVICE)
    image = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    out = net.normalize(net.to_device(image))[0, :, 0, 0]
    want = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(out, want)
    assert net.normalize(net.to_device(image)).is_contiguous(memory_format=torch.channels_last)


def test_a_transformer_is_built_for_the_size_of_the_images() -> None:
    net = build_net(config(name="test_vit"), 3, 96, DEVICE)
    images = torch.zeros((2, 96, 96, 3), dtype=torch.uint8)
    assert net.logits(net.to_device(images)).shape == (2, 3)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(ModelError, match="Did you mean 'efficientnet_b0'"):
        build_net(config(name="efficientnt_b0"), 2, 32, DEVICE)


def test_pretrained_weights_that_cannot_be_had_name_the_ways_out() -> None:
    with pytest.raises(
        ModelError, match=r"(?s)timm\.create_model.*model\.weights.*model\.pretrained=false"
    ):
        build_net(config(pretrained=True), 2, 32, DEVICE)
    build_net(config(pretrained=True), 2, 32, DEVICE, empty=True)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
@pytest.mark.parametrize("wrap", [False, True])
def test_local_weights_are_taken_up_to_the_head(tmp_path: Path, suffix: str, wrap: bool) -> None:
    donor = build_net(config(), 5, 32, DEVICE).module
    prefix = "module._orig_mod." if wrap else ""
    tensors = {prefix + name: value.contiguous() for name, value in donor.state_dict().items()}
    path = tmp_path / f"donor{suffix}"
    if suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"state_dict": tensors, "epoch": 3} if wrap else tensors, path)
    own = build_net(config(), 2, 32, DEVICE, empty=True).module
    taken, left = load_weights(own, path)
    assert (taken, left) == (len(tensors) - 2, ["fc.weight", "fc.bias"])
    for name, value in donor.state_dict().items():
        assert torch.equal(own.state_dict()[name], value) == (name not in left)


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_weights_file_is_never_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"model": _Canary(canary)}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="not a plain file of tensors"):
        load_weights(build_net(config(), 2, 32, DEVICE).module, tmp_path / "evil.pt")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "an empty file"), (b"<html>", "no file of weights"), (None, "no such file")],
)
def test_files_that_are_no_weights_are_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "w.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_weights(torch.nn.Linear(2, 2), path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 3).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="fits nothing of this network"):
        load_weights(build_net(config(), 2, 32, DEVICE).module, tmp_path / "w.pt")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = torch.nn.Linear(2, 2).state_dict()
    state["weight"][0, 1] = float("nan")
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="1 tensors hold NaN or infinity: 'weight'"):
        load_weights(torch.nn.Linear(2, 2), tmp_path / "w.pt")


@pytest.mark.parametrize("channels", [1, 2, 5, 16])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_network_takes_any_number_of_channels(name: str, channels: int) -> None:
    net = build_net(config(name=name), 3, 96, DEVICE, channels=channels)
    images = torch.randint(0, 256, (2, 96, 96, channels), dtype=torch.uint8)
    assert net.logits(net.to_device(images)).shape == (2, 3)
    assert len(net.mean) == len(net.std) == channels


def test_one_channel_has_the_mean_of_the_colours_and_many_begin_again() -> None:
    usual = build_net(config(name="test_efficientnet"), 2, 32, DEVICE).mean
    one = build_net(config(name="test_efficientnet"), 2, 32, DEVICE, channels=1).mean
    five = build_net(config(name="test_efficientnet"), 2, 32, DEVICE, channels=5).mean
    assert one == pytest.approx([sum(usual) / 3])
    assert five == (*usual, *usual[:2])


def test_16_bits_are_normalised_as_8_bits_are() -> None:
    net = build_net(config(), 2, 32, DEVICE)
    deep = for_images(net, ImageConfig(bits=16))
    images = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
    wide = (images.to(torch.int32) * 257).to(torch.uint16)
    torch.testing.assert_close(
        deep.normalize(deep.to_device(wide)), net.normalize(net.to_device(images))
    )


@pytest.mark.parametrize("channels", [1, 6])
def test_the_first_layer_of_a_file_is_adapted(tmp_path: Path, channels: int) -> None:
    """Grey images, or the same colours twice, give what the network of colours gives."""
    donor = build_net(config(), 5, 32, DEVICE).module.eval()
    torch.save(donor.state_dict(), tmp_path / "donor.pt")
    heir = build_net(config(weights=str(tmp_path / "donor.pt")), 5, 32, DEVICE, channels=channels)
    grey = torch.rand(2, 1, 32, 32)
    colours = torch.rand(2, 3, 32, 32)
    given, known = (grey, grey.repeat(1, 3, 1, 1)) if channels == 1 else (
        colours.repeat(1, 2, 1, 1), colours)  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(heir.module.eval()(given), donor(known), atol=1e-4, rtol=1e-4)


def test_noise_fills_all_bits() -> None:
    deep, usual = (noise((4, 3, 64, 64), bits) for bits in (16, 8))
    assert (deep.dtype, usual.dtype) == (torch.uint16, torch.uint8)
    assert int(deep.to(torch.int32).max()) > 65000
