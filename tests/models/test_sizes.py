"""The sizes that a network takes are found without computing anything."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from comp.models.sizes import advice, nearest_sizes, takes


class Patches(nn.Module):
    """Takes multiples of `patch`, not smaller than `least`."""

    def __init__(self, patch: int, least: int) -> None:
        super().__init__()
        self.patch, self.least, self.head = patch, least, nn.Linear(3, 1)

    def forward(self, images: Tensor) -> Tensor:
        assert images.is_meta
        if images.shape[-1] % self.patch or images.shape[-1] < self.least:
            raise ValueError("size")
        out: Tensor = self.head(images.mean(dim=(2, 3)))
        return out


def test_a_size_is_taken_where_the_network_runs() -> None:
    assert takes(lambda _: Patches(16, 8), 64)
    assert not takes(lambda _: Patches(16, 8), 331)
    assert torch.get_default_device().type == "cpu"


def test_the_nearest_sizes_on_both_sides_are_found() -> None:
    assert nearest_sizes(lambda _: Patches(16, 8), 331) == [320, 336]
    assert nearest_sizes(lambda _: Patches(32, 8), 331) == [320, 352]
    assert nearest_sizes(lambda _: Patches(14, 8), 331) == [322, 336]
    assert nearest_sizes(lambda _: Patches(16, 75), 32) == [80]
    assert nearest_sizes(lambda _: Patches(1000, 8), 331) == []


def test_the_advice_names_them() -> None:
    assert advice(lambda _: Patches(16, 8), 331) == (
        "Sizes near it that work: 320 and 336 (image.size)."
    )
    assert "use another network" in advice(lambda _: Patches(1000, 8), 331)
