"""From the features of the images of a bag to one vector (`model.pool_bag`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from comp.config.schema import FOLDER_BAG, Config, DataConfig

_LAYERS, _HEADS = 2, 4  # of the transformer


@dataclass(frozen=True)
class BagForm:
    """How a network sees bags.

    `size`     images of a bag in training
    `ordered`  whether their order means something
    `windows`  whether training sees consecutive images, so that prediction goes by such windows
    """

    size: int
    ordered: bool
    windows: bool


def is_ordered(data: DataConfig) -> bool:
    """Whether the images of a bag have an order that means something."""
    return data.bag_order is not None or data.bag == FOLDER_BAG


def bag_form(config: Config) -> BagForm | None:
    """The form of the bags of a config; None without `data.bag`."""
    if config.data.bag is None:
        return None
    image = config.image
    return BagForm(image.bag_size, is_ordered(config.data), image.bag_sample == "window")


class Mean(nn.Module):
    """(B, n, D) -> (B, D): the mean of all images."""

    def __init__(self, width: int, units: int, form: BagForm) -> None:
        super().__init__()
        self.width = width

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=1)


class Max(Mean):
    """The largest of each feature."""

    def forward(self, features: Tensor) -> Tensor:
        return features.amax(dim=1)


class GatedAttention(nn.Module):
    """A weighted mean; the weights are a softmax over the bag of a gated score, which is zero at
    first, so that training begins with the plain mean. M. Ilse et al., Attention-based deep
    multiple instance learning, 2018."""

    def __init__(self, width: int, units: int, form: BagForm) -> None:
        super().__init__()
        self.width = width
        self.content, self.gate = nn.Linear(width, units), nn.Linear(width, units)
        self.score = nn.Linear(units, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def weights(self, features: Tensor) -> Tensor:
        """(B, n) the weight of each image; the sum over a bag is 1."""
        hidden = self.content(features).tanh() * self.gate(features).sigmoid()
        scores: Tensor = self.score(hidden).squeeze(2)
        return scores.float().softmax(dim=1)

    def forward(self, features: Tensor) -> Tensor:
        mean: Tensor = (features * self.weights(features)[..., None].to(features.dtype)).sum(dim=1)
        return mean


class Gru(nn.Module):
    """A GRU over the images in their order, from both ends; the mean of its outputs."""

    def __init__(self, width: int, units: int, form: BagForm) -> None:
        super().__init__()
        self.width = 2 * units
        self.cells = nn.GRU(width, units, batch_first=True, bidirectional=True)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.cells(features)[0]
        return out.mean(dim=1)


class Transformer(nn.Module):
    """Two layers of self-attention over the images; the mean of their outputs. Where the images
    have an order, each is told its place, as a share of the way through."""

    def __init__(self, width: int, units: int, form: BagForm) -> None:
        super().__init__()
        self.width, self.ordered = units, form.ordered
        heads = math.gcd(units, _HEADS)
        layer = nn.TransformerEncoderLayer(
            units, heads, 2 * units, dropout=0.0, batch_first=True, norm_first=True
        )
        self.enter = nn.Linear(width, units)
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.leave = nn.LayerNorm(units)

    def forward(self, features: Tensor) -> Tensor:
        tokens = self.enter(features)
        if self.ordered:
            tokens = tokens + _waves(features.shape[1], self.width, tokens)
        out: Tensor = self.leave(self.layers(tokens))
        return out.mean(dim=1)


def _waves(count: int, width: int, like: Tensor) -> Tensor:
    """(count, width) sines and cosines of the places of images, from 0 to 1, at frequencies from
    half a wave on, twice as fast each. A. Vaswani et al., Attention is all you need, 2017."""
    place = (torch.arange(count, device=like.device) + 0.5) / count
    speed = math.pi * 2.0 ** (torch.arange(-(-width // 2), device=like.device) % 8)
    angle = place[:, None] * speed
    waves = torch.cat([angle.sin(), angle.cos()], dim=1)[:, :width]
    return waves.to(like.dtype)


@dataclass(frozen=True)
class Pool:
    """A way from the images of a bag to one vector.

    `make`     width of the features, `model.bag_width`, form of the bags -> the module, (B, n, D)
               to (B, width)
    `ordered`  whether it needs an order
    `groups`   whether it sees as many images as in training at prediction too, group by group
    `stacks`   whether the images are channels of one, so that each group has one vector
    """

    make: Callable[[int, int, BagForm], nn.Module]
    ordered: bool = False
    groups: bool = False
    stacks: bool = False


POOLS: dict[str, Pool] = {
    "mean": Pool(Mean),
    "max": Pool(Max),
    "attention": Pool(GatedAttention),
    "gru": Pool(Gru, ordered=True, groups=True),
    "transformer": Pool(Transformer, groups=True),
    "channels": Pool(Mean, ordered=True, groups=True, stacks=True),
}
