"""How much each image of a bag counted in the answer of the bag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comp.models.bags.nets import BagNet
from comp.models.bags.pools import GatedAttention
from comp.models.networks import Net

Array = np.ndarray[Any, Any]

_AT_ONCE = 64  # bags with an image left out


@dataclass(frozen=True)
class Attended:
    """(n,) a number for each image of a bag.

    `weights`  whether they are the weights of attention, which sum to 1; else how much the logit
               of the answer falls where the image is left out
    """

    values: Array
    weights: bool


@torch.inference_mode()
def attended(net: Net, images: Array, target: Callable[[Tensor], Tensor]) -> Attended | None:
    """What each image of a bag counted. images: (n, S, S, 3) uint8. target: logits (C,) of an
    answer -> the number that is explained.

    None for a network that answers for images, and where images are the channels of one.
    """
    module = net.module
    if not isinstance(module, BagNet) or module.kind.stacks:
        return None
    pixels = net.to_device(torch.from_numpy(np.ascontiguousarray(images))[None])
    features, shape = net.features_of_bags(module, pixels)
    own = features.unflatten(0, shape).float()
    pool = module.tail[0]
    if isinstance(pool, GatedAttention):
        return Attended(_weights(module, pool, own[0]), weights=True)
    if own.shape[1] == 1:
        return Attended(np.zeros(1), weights=False)
    whole = target(module.answers(own)[0])
    rows = torch.arange(own.shape[1])
    others = torch.stack([rows[rows != row] for row in rows])
    parts = [
        module.answers(own[0][some.to(own.device)]) for some in others.split(_AT_ONCE)
    ]  # each of one bag without one of its images
    left = torch.stack([target(logits) for logits in torch.cat(parts)])
    return Attended((whole - left).cpu().numpy().astype(np.float64), weights=False)


def _weights(module: BagNet, pool: GatedAttention, features: Tensor) -> Array:
    """(n,) the weights of attention; of a bag in groups the mean of those of each."""
    if not module.form.windows:
        return np.asarray(pool.weights(features[None])[0].cpu().numpy(), dtype=np.float64)
    groups = module.groups(len(features), features.device)
    weights = pool.weights(features[groups]).cpu().numpy()
    out = np.zeros(len(features))
    np.add.at(out, groups.cpu().numpy().ravel(), weights.ravel() / len(groups))
    return out
