"""How a classification network turns its last maps (N, D, H, W) into one vector (N, D)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from comp.core.errors import ModelError, pick

OWN = "own"  # what the network has
_LEAST = 1e-6


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
