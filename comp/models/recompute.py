"""Gradient checkpointing: activations are computed again for the gradient instead of being kept.

T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016; by timm
and torch. Weights and BatchNorm end as they do without it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from comp.core.errors import ModelError


def recompute(module: nn.Module, name: str) -> None:
    """Let a network keep only the inputs of its blocks while it is trained.

    Raises ModelError for a network whose blocks timm does not know.
    """
    switch = _switch(module)
    try:
        if switch is None:
            raise NotImplementedError
        switch(True)
    except (AssertionError, NotImplementedError) as problem:
        raise ModelError(
            f"train.grad_checkpointing: {name} cannot compute its activations again; use a network "
            "of timm (as an encoder: tu-<name>) that can, such as resnet50, convnext_tiny, "
            "vit_small_patch16_224, or set it to false"
        ) from problem
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.register_forward_pre_hook(_hold)
            part.register_forward_hook(_let_go, always_call=True)


def _switch(module: nn.Module) -> Any:
    """`set_grad_checkpointing` of the network, or of the encoder of a segmenter."""
    encoder = getattr(getattr(module, "inner", None), "encoder", None)
    for owner in (module, getattr(encoder, "model", None)):
        found = getattr(owner, "set_grad_checkpointing", None)
        if found is not None:
            return found
    return None


def _again() -> bool:
    """Whether a forward pass is made in the middle of a backward pass."""
    return bool(torch._C._current_graph_task_id() != -1)


def _hold(part: nn.Module, _: Any) -> None:
    """The second forward pass is no further batch: BatchNorm takes no statistics of it."""
    if _again() and part.training and part.track_running_stats:
        part._held = part.momentum, part.num_batches_tracked.clone()  # type: ignore[operator,assignment]
        part.momentum = 0.0  # type: ignore[assignment]


def _let_go(part: nn.Module, _: Any, __: Any) -> None:
    held = part.__dict__.pop("_held", None)
    if held is not None:
        part.momentum = held[0]
        part.num_batches_tracked.copy_(held[1])  # type: ignore[operator]
