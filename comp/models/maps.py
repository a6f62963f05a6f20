"""The features of a network from the maps of all its stages, not of the last alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from comp.core.errors import ModelError, pick, reason
from comp.models.pools import OWN, POOLS

_MOST = 6  # stages that are all taken; of more, as transformers have, `_SPREAD`
_SPREAD = 4


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
