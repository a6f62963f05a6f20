"""Networks that answer for a bag of images: features of each image, pooled into one vector.

In training all bags have `image.bag_size` images. At prediction a bag is seen whole: pools that
know no order take all of its images; `gru`, `transformer` and `channels`, and any pool of bags that
are cut into windows, see it in groups as large as in training, of which the mean is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timm.models._manipulate import group_parameters
from torch import Tensor, nn

from comp.config.schema import FOLDER_BAG, Config, DataConfig
from comp.core.errors import ModelError

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


class BagNet(nn.Module):
    """A network whose answer is for a bag. `inner` gives features (m, D); `tail` pools those of a
    bag and ends in the head."""

    def __init__(
        self, inner: nn.Module, pool: Pool, made: nn.Module, drop: float, head: nn.Module,
        form: BagForm,
    ) -> None:  # fmt: skip
        super().__init__()
        self.inner, self.form, self.kind = inner, form, pool
        self.tail = nn.Sequential(made, nn.Dropout(drop), head)
        self.pretrained_cfg: Any = getattr(inner, "pretrained_cfg", {})

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, C) from the normalised inputs of B bags as training has them: (B * bag_size, 3, H,
        W), or (B, 3 * bag_size, H, W) where images are channels."""
        features: Tensor = self.inner(inputs)
        each = 1 if self.kind.stacks else self.form.size
        logits: Tensor = self.tail(features.unflatten(0, (-1, each)))
        return logits

    def inputs(self, images: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """What `inner` is given for bags of n images each, (B, n, 3, H, W), and its shape before
        it was one batch: (B, n), or (B, groups) where images are channels."""
        if not self.kind.stacks:
            return images.flatten(0, 1), tuple(images.shape[:2])
        rows = self.groups(images.shape[1]).to(images.device)
        stacked = images[:, rows].flatten(3 - 1, 3)  # (B, G, 3 * size, H, W)
        return stacked.flatten(0, 1), tuple(stacked.shape[:2])

    def answers(self, features: Tensor) -> Tensor:
        """(B, C) from the features of whole bags: (B, n, D), see `inputs`."""
        vectors = self.vectors(features)
        logits: Tensor = self.last(self.tail[1](vectors))
        return logits

    def vectors(self, features: Tensor) -> Tensor:
        """(B, width) the vector of each bag; of groups the mean."""
        pool = self.tail[0]
        if self.kind.stacks or not (self.kind.groups or self.form.windows):
            vector: Tensor = pool(features)
            return vector
        rows = self.groups(features.shape[1]).to(features.device)
        own = features[:, rows]  # (B, G, size, D)
        each: Tensor = pool(own.flatten(0, 1))
        mean: Tensor = each.unflatten(0, tuple(own.shape[:2])).mean(dim=1)
        return mean

    def groups(self, count: int) -> Tensor:
        """(G, bag_size) the images of each group of a bag of so many; together they are all of
        them, see `groups_of`."""
        return torch.tensor(groups_of(count, self.form.size, windows=self.form.windows))

    @property
    def last(self) -> nn.Module:
        """What comes after the pool: the head of the config."""
        head: nn.Module = self.tail[2]
        return head

    def get_classifier(self) -> nn.Module:
        """The parts that are new when the inner network is pretrained: the pool and the head."""
        return self.tail

    def group_matcher(self, coarse: bool = False) -> Callable[[str], tuple[float, ...]]:
        """The layer of each parameter, for timm: as in the inner network, the tail last."""
        inner: Any = self.inner
        layers = group_parameters(inner, inner.group_matcher(coarse=coarse), reverse=True)
        last = max(layers.values(), default=0) + 1
        return lambda name: (float(layers.get(name.removeprefix("inner."), last)),)

    def no_weight_decay(self) -> set[str]:
        """The parameters that timm does not decay."""
        names: set[str] = getattr(self.inner, "no_weight_decay", set)()
        return {f"inner.{name}" for name in names}


def groups_of(count: int, size: int, *, windows: bool) -> list[list[int]]:
    """Groups of `size` of the images 0..count-1, so few that each image is in one at least.

    windows: of consecutive images, evenly spread; else each group is evenly spread over all. An
    image comes twice in a group only where there are fewer than `size`.
    """
    number = -(-count // size)
    if count < size or not windows:
        slots = [(slot * 2 + 1) * count // (2 * size * number) for slot in range(size * number)]
        return [slots[group::number] for group in range(number)]
    starts = [group * (count - size) // max(1, number - 1) for group in range(number)]
    return [[start + place for place in range(size)] for start in starts]


def wrap(
    inner: nn.Module, name: str, units: int, drop: float, form: BagForm,
    head: Callable[[int], nn.Module],
) -> BagNet:  # fmt: skip
    """A network of images, without its last layer, as one of bags.

    name: of the pool. units: `model.bag_width`. head: width of the vectors -> the last layers.
    Raises ModelError for a network that does not say how wide its features are.
    """
    width = getattr(inner, "num_features", None)
    width = getattr(inner, "head_hidden_size", width) or width
    if not isinstance(width, int):
        raise ModelError(
            f"data.bag: {type(inner).__name__} does not say how many features it has; use another "
            "network (model.name)"
        )
    pool = POOLS[name]
    made: Any = pool.make(width, units, form)
    return BagNet(inner, pool, made, drop, head(made.width), form)
