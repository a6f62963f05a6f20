"""Networks that answer for a bag of images: features of each image, pooled into one vector.

In training all bags have `image.bag_size` images. At prediction a bag is seen whole: pools that
know no order take all of its images; `gru`, `transformer` and `channels`, and any pool of bags that
are cut into windows, see it in groups as large as in training, of which the mean is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from timm.models._manipulate import group_parameters
from torch import Tensor, nn

from comp.core.errors import ModelError
from comp.models.bags.pools import POOLS, BagForm, Pool


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
        rows = self.groups(images.shape[1], images.device)
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
        rows = self.groups(features.shape[1], features.device)
        own = features[:, rows]  # (B, G, size, D)
        each: Tensor = pool(own.flatten(0, 1))
        mean: Tensor = each.unflatten(0, tuple(own.shape[:2])).mean(dim=1)
        return mean

    def groups(self, count: int, device: torch.device) -> Tensor:
        """(G, bag_size) the images of each group of a bag of so many; together they are all of
        them, see `groups_of`."""
        return _groups(count, self.form.size, self.form.windows, device)

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


@functools.lru_cache(maxsize=64)
def _groups(count: int, size: int, windows: bool, device: torch.device) -> Tensor:
    """What `groups_of` gives, on the device once: a copy in each step would be waited for."""
    with torch.inference_mode(False):
        return torch.tensor(groups_of(count, size, windows=windows)).to(device)


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
