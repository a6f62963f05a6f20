"""Class activation maps point to the place that makes the answer."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import nn

from comp.inference.activation_maps import activation_maps, can_map, class_target, last_maps
from comp.models.device import choose_device
from comp.models.networks import Net

pytest.importorskip("pytorch_grad_cam")


class Bright(nn.Module):
    """Logits: the mean red and the mean green of an image, through a layer of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 2, 1, bias=False)
        with torch.no_grad():
            self.maps.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None])
        self.feature_info = [{"module": "maps", "reduction": 1}]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.maps(images).mean(dim=(2, 3))


def net_of(module: nn.Module) -> Net:
    device = choose_device("fp32", where="cpu")
    return Net(module.eval(), device, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def corners() -> np.ndarray:
    """An image that is red on the left above and green on the right below."""
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[0, :8, :8, 0] = 255
    image[0, 8:, 8:, 1] = 255
    return image


@pytest.mark.parametrize(("column", "place"), [(0, (4, 4)), (1, (12, 12))])
def test_the_map_is_bright_where_the_class_is(column: int, place: tuple[int, int]) -> None:
    maps = activation_maps(net_of(Bright()), corners(), [class_target(column, 1)])
    assert maps is not None
    assert maps.shape == (1, 16, 16)
    assert maps[0][place] == pytest.approx(1.0, abs=0.01)
    assert maps[0][16 - place[0], 16 - place[1]] == 0
    assert can_map()


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
def test_networks_of_timm_have_maps(name: str) -> None:
    torch.manual_seed(0)
    size = {"img_size": 64} if "vit" in name else {}
    module = timm.create_model(name, num_classes=2, **size)
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    maps = activation_maps(net_of(module), images, [class_target(0, 1), class_target(1, -1)])
    assert maps is not None
    assert maps.shape == (2, 64, 64)
    assert (maps >= 0).all()
    assert maps.max() <= 1.001
    assert not any(p.grad is not None and p.grad.isnan().any() for p in module.parameters())


def test_of_small_images_an_earlier_layer_is_taken() -> None:
    module = timm.create_model("test_resnet", num_classes=2)
    (deep, _), (early, _) = last_maps(module, 512) or (), last_maps(module, 16) or ()
    names = {part: name for name, part in module.named_modules()}
    info = [entry["module"] for entry in module.feature_info]
    assert names[deep] == info[-1]
    assert info.index(names[early]) < info.index(names[deep])


def test_a_network_whose_maps_are_not_known_has_none() -> None:
    assert last_maps(nn.Linear(2, 2), 64) is None
    assert activation_maps(net_of(nn.Linear(2, 2)), corners(), [class_target(0, 1)]) is None


def test_pixels_are_explained_where_their_class_wins() -> None:
    logits = torch.tensor([[[2.0, 0.0]], [[1.0, 3.0]]])
    assert class_target(0, 1)(logits) == 2.0
    assert class_target(1, -1)(logits) == -3.0
    assert class_target(0, 1)(torch.tensor([[[2.0, -5.0]]])) == 2.0
