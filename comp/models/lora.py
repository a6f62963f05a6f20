"""Low-rank adaptation: the weights stay, and small matrices beside them learn (`model.lora`).

E. Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022; by peft. Only training
has the matrices apart: what predicts has them added to the weights, and needs no peft.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from comp.core.errors import ModelError, reason
from comp.models.heads import head_of

_BASE, _DOWN, _UP = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"


def add_lora(module: nn.Module, name: str, rank: int, scale: float, size: int) -> None:
    """Put matrices of so many columns beside each linear layer that the network uses, but for the
    head, which learns as a whole.

    scale: of their product. size: the side of an image that the network takes. Raises ModelError
    without peft, and for a network without linear layers.
    """
    if importlib.util.find_spec("peft") is None:
        raise ModelError(
            "model.lora needs peft, which is not installed: `pip install 'comp[lora]'`, or leave "
            "model.lora out"
        )
    used = _used(module, size)
    if not used:
        raise ModelError(
            f"model.lora: {name} has no linear layers before its head; it is for networks such as "
            "vit_small_patch16_224. Leave it out"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from peft import LoraConfig, inject_adapter_in_model

        alpha: Any = rank * scale  # any number will do, whatever its annotation says
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=used)
        inject_adapter_in_model(config, module)


def has_lora(module: nn.Module) -> bool:
    """Whether matrices of LoRA are beside the weights."""
    return any(".lora_A." in name for name, _ in module.named_parameters())


def freeze_to_lora(module: nn.Module) -> None:
    """Let only the matrices and the head learn; batch norms keep their statistics."""
    head = {id(p) for p in head_of(module).parameters()}
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(".lora_" in name or id(parameter) in head)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def merged(state: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """A state with the products of the matrices added to the weights, under the names of the
    network without them. A state that has none stays as it is."""
    out = {}
    for name, value in state.items():
        if ".lora_" in name:
            continue
        prefix = name.removesuffix(f"{_BASE}weight")
        if prefix != name and prefix + _DOWN in state:
            down, up = state[prefix + _DOWN].float(), state[prefix + _UP].float()
            value = (value.float() + scale * (up @ down)).to(value.dtype)
        out[name.replace(_BASE, ".")] = value
    return out


@torch.no_grad()
def _used(module: nn.Module, size: int) -> list[str]:
    """The names of the linear layers that a forward pass calls, without those of the head. (Some
    networks only read the weights of a layer, which would pass the matrices by.)"""
    head = {id(part) for part in head_of(module).modules()}
    places = {
        name: part
        for name, part in module.named_modules()
        if type(part) is nn.Linear and id(part) not in head
    }
    called: set[str] = set()
    hooks = [
        part.register_forward_hook(lambda *_, name=name: called.add(name))
        for name, part in places.items()
    ]
    mode = module.training
    first = next(module.parameters())
    try:
        module.eval()(torch.zeros((1, 3, size, size), device=first.device, dtype=first.dtype))
    except Exception as problem:  # whatever a network raises
        raise ModelError(
            f"model.lora: {type(module).__name__} does not take images of {size} px "
            f"({reason(problem)}); use another image.size"
        ) from problem
    module.train(mode)
    for hook in hooks:
        hook.remove()
    return [name for name in places if name in called]
