"""How a classification network turns its maps (N, D, H, W) into one vector (N, D)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from comp.core.errors import ModelError, pick, reason

OWN = "own"  # what the network has
_LEAST = 1e-6
_MOST = 6  # stages that are all taken; of more, as transformers have, `_SPREAD`
_SPREAD = 4


class GeM(nn.Module):
    """The generalized mean with a power that is learned, from 3 on: 1 is the mean, infinity the
    maximum. F. Radenovic et al., Fine-tuning CNN image retrieval with no human annotation, 2018."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([3.0]))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, D, 1, 1), in full precision: fp16 would overflow at the third power."""
        power = self.power.float().clamp_min(1.0)
        with torch.autocast(maps.device.type, enabled=False):
            raised = maps.float().clamp_min(_LEAST) ** power
            return (raised.mean(dim=(2, 3), keepdim=True) ** (1 / power)).to(maps.dtype)


class Attention(nn.Module):
    """A weighted mean over places; the weights are a softmax of a linear score, zero at first, so
    that training begins with the plain mean. As in M. Ilse et al., Attention-based deep multiple
    instance learning, 2018, without its hidden layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """(N, D, 1, 1)."""
        weights = self.score(maps).flatten(2).softmax(dim=2)
        mean: Tensor = (maps.flatten(2) * weights).sum(dim=2)
        return mean[..., None, None]


def _timm(kind: str) -> Callable[[int], nn.Module]:
    return lambda _: SelectAdaptivePool2d(pool_type=kind)


POOLS: dict[str, Callable[[int], nn.Module]] = {
    "avg": _timm("avg"),
    "max": _timm("max"),
    "avgmax": _timm("avgmax"),
    "gem": lambda _: GeM(),
    "attention": Attention,
}


def set_pool(module: nn.Module, pool: str, name: str) -> None:
    """Give a network another pooling of its last maps; `own` leaves it as it is.

    name: of the network, for messages. Raises ModelError for a network that pools no maps, as
    vision transformers do, ConfigError for an unknown pool.
    """
    if pool == OWN:
        return
    make = pick(POOLS, pool, "model.pool")
    found = [(n, m) for n, m in module.named_modules() if isinstance(m, SelectAdaptivePool2d)]
    found = [(n, m) for n, m in found if not m.is_identity()]
    width = getattr(module, "num_features", None)
    if len(found) != 1 or not isinstance(width, int):
        raise ModelError(
            f"model.pool: {name} pools no maps of places; use model.pool: {OWN}, or another network"
        )
    where, before = found[0]
    flat = isinstance(before.flatten, nn.Flatten) or before.pool_type.startswith("fast")
    new = nn.Sequential(make(width), nn.Flatten(1)) if flat else make(width)
    module.set_submodule(where, new)


class StageMaps(nn.Module):
    """(B, 3, H, W) -> (B, D): the pooled maps of the stages of a timm network, then its own vector.

    What a late stage no longer shows, a scratch of a few pixels, an early one does. B. Hariharan et
    al., Hypercolumns for object segmentation and fine-grained localization, 2015, put the maps of
    several stages side by side for each place; here they are pooled over the image first.
    """

    def __init__(self, inner: nn.Module, pool: str, channels: int, size: int, name: str) -> None:
        """inner: without its last layer, on the CPU. pool: of POOLS, for the stages; `own` is the
        mean. size: side of the images, in pixels. name: of the network, for messages.

        Raises ModelError for a network that does not give the maps of its stages.
        """
        super().__init__()
        self.inner = inner.eval()
        self.pretrained_cfg: Any = getattr(inner, "pretrained_cfg", {})
        try:
            self.stages = _stages(len(inner.feature_info))  # type: ignore[arg-type]
            with torch.inference_mode():
                maps, vector = self._seen(torch.zeros(1, channels, size, size))
        except (AttributeError, NotImplementedError, RuntimeError, TypeError) as problem:
            raise ModelError(
                f"model.maps: {name} does not give the maps of its stages ({reason(problem)}). "
                "Use model.maps: last, or another network"
            ) from problem
        if maps[-1].shape[1] == vector.shape[1]:  # the vector is this map, pooled
            self.stages.pop()
            maps.pop()
        make = pick(POOLS, "avg" if pool == OWN else pool, "model.pool")
        self.pools = nn.ModuleList(make(found.shape[1]) for found in maps)

    def forward(self, images: Tensor) -> Tensor:
        """(B, D), in the order of the stages."""
        maps, vector = self._seen(images)
        pooled = [pool(found).flatten(1) for pool, found in zip(self.pools, maps, strict=True)]
        return torch.cat([*pooled, vector], dim=1)

    def _seen(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        inner: Any = self.inner
        last, maps = inner.forward_intermediates(images, indices=self.stages, output_fmt="NCHW")
        return list(maps), inner.forward_head(last, pre_logits=True)


def _stages(count: int) -> list[int]:
    """The stages that are taken: all, or of many some that are evenly spread, with the last."""
    if count <= _MOST:
        return list(range(count))
    return [(place + 1) * count // _SPREAD - 1 for place in range(_SPREAD)]
