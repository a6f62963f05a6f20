"""Features have a key of what they were made from; a file without its manifest is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from comp.core.errors import ModelError
from comp.inference.features import Wanted, find_features, make_features
from comp.models.device import choose_device
from comp.models.networks import Net

WANTED = Wanted(("a", "b", "c"), {"model": "x", "size": 4}, "id")


class Means(nn.Module):
    def __init__(self, axes: tuple[int, ...] = (2, 3)) -> None:
        super().__init__()
        self.axes, self.weight = axes, nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(self.axes) * self.weight


def net(module: nn.Module) -> Net:
    return Net(module, choose_device("fp32"), (0.0,) * 3, (1.0,) * 3)


def images() -> Any:
    return np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)


def test_features_are_those_of_the_network_and_lie_in_the_cache(tmp_path: Path) -> None:
    made = make_features(WANTED, tmp_path, lambda: net(Means()), images, 2)
    assert np.allclose(made.values, images().mean(axis=(1, 2)) / 255)
    assert made.values.dtype == np.float32
    assert find_features(WANTED, tmp_path) is not None
    (made.folder / "manifest.json").unlink()
    assert find_features(WANTED, tmp_path) is None


def test_another_view_or_source_or_order_is_another_file() -> None:
    others = [
        replace(WANTED, view="flip"),
        replace(WANTED, about={"model": "x", "size": 8}),
        replace(WANTED, ids=("b", "a", "c")),
    ]
    assert len({WANTED.key, *(other.key for other in others)}) == 4


def test_a_network_without_vectors_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="one vector per image"):
        make_features(WANTED, tmp_path, lambda: net(Means((3,))), images, 2)
    assert find_features(WANTED, tmp_path) is None
