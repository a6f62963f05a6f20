"""What a network looked at: class activation maps, by pytorch-grad-cam (the extra `cam`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from comp.models.networks import Net
from comp.models.segmenters import Segmenter

Array = np.ndarray[Any, Any]
Target = Callable[[Tensor], Tensor]  # logits (C, ...) of an image -> the number that is explained


_AT_ONCE = 8  # images: a gradient takes more memory than a prediction
_LEAST_SIDE = 4  # of maps: one pixel says nothing of where


def can_map() -> bool:
    """Whether pytorch-grad-cam is installed."""
    return importlib.util.find_spec("pytorch_grad_cam") is not None


def class_target(column: int, sign: int) -> Target:
    """The logit of a column, up (1) or down (-1); of pixels its mean over those that it wins."""

    def target(logits: Tensor) -> Tensor:
        own = logits[column]
        if own.dim() == 0:
            return sign * own
        won = logits.argmax(dim=0) == column if len(logits) > 1 else own > 0
        return sign * (own * won).sum() / won.sum().clamp(min=1)

    return target


def activation_maps(net: Net, images: Array, targets: Sequence[Target]) -> Array | None:
    """(n, S, S) float32 in [0, 1]: how much each place of an image spoke for its target.

    images: (n, S, S, 3) uint8, as the network is given them. None for a network whose last maps are
    not known. Grad-CAM: Selvaraju et al., ICCV 2017.
    """
    from pytorch_grad_cam import GradCAM

    found = last_maps(net.module, images.shape[1])
    if found is None:
        return None
    layer, reshape = found
    parts = []
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        GradCAM(net.module, [layer], reshape_transform=reshape) as cam,
    ):
        for begin in range(0, len(images), _AT_ONCE):
            own = np.ascontiguousarray(images[begin : begin + _AT_ONCE])
            pixels = net.normalize(net.to_device(torch.from_numpy(own)))
            parts.append(cam(input_tensor=pixels, targets=list(targets[begin:][: len(own)])))
    return np.nan_to_num(np.concatenate(parts).astype(np.float32))


def last_maps(
    module: nn.Module, side: int
) -> tuple[nn.Module, Callable[[Tensor], Tensor] | None] | None:
    """The layer with the last maps of a network that are at least 4 pixels wide for images of this
    side, and what brings its output to (B, C, H, W); None where it is not known.

    In a transformer only the tokens that are pooled have a gradient after the last block, so its
    first normalisation is taken, as pytorch-grad-cam advises.
    """
    if isinstance(module, Segmenter):
        decoder = getattr(module.inner, "decoder", None)
        return None if decoder is None else (decoder, None)
    blocks = getattr(module, "blocks", None)
    embed = getattr(module, "patch_embed", None)
    if isinstance(blocks, nn.Sequential | nn.ModuleList) and hasattr(embed, "grid_size"):
        norm = getattr(blocks[-1], "norm1", None)
        prefix = int(getattr(module, "num_prefix_tokens", 1))
        return None if norm is None else (norm, lambda out: _from_tokens(out, prefix))
    info = getattr(module, "feature_info", None) or []
    parts = dict(module.named_modules())
    stages = [s for s in info if isinstance(s, dict) and s.get("module") in parts]
    if not stages:
        return None
    wide = [s for s in stages if side / s.get("reduction", 1) >= _LEAST_SIDE]
    name = (wide or stages)[-1]["module"]
    last = getattr(module, "output_fmt", None)
    return parts[name], _channels_first if str(last).endswith("NHWC") else None


def _from_tokens(tokens: Tensor, prefix: int) -> Tensor:
    """(B, prefix + H * W, C) -> (B, C, H, W); the grid is square, as images are."""
    inner = tokens[:, prefix:]
    side = round(inner.shape[1] ** 0.5)
    return inner.reshape(len(inner), side, -1, inner.shape[2]).permute(0, 3, 1, 2)


def _channels_first(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2)
