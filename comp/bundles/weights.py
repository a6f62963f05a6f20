"""The weights of a checkpoint as safetensors: tensors and their names, nothing that is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from comp.core import files
from comp.models.lora import merged


def weights_of(saved: Mapping[str, Any], lora_scale: float) -> dict[str, Tensor]:
    """The weights of a checkpoint that predict: its moving average where it has one, and what LoRA
    learned added (`comp.models.lora`)."""
    return merged(saved.get("ema") or saved["model"], lora_scale)


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as fp16, where they are floats and fit into it; counters stay as they are."""
    largest = torch.finfo(torch.float16).max
    return {
        name: value.half()
        if value.is_floating_point() and not (value.abs() > largest).any()
        else value
        for name, value in weights.items()
    }


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors to a .safetensors file; each is copied, for two may share their memory."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    files.write_bytes(path, save(tensors))
