"""Which parts of a network learn: all of it, or its head alone."""

from __future__ import annotations

from torch import nn

from comp.models.heads import head_of
from comp.models.lora import freeze_to_lora, has_lora


def set_training_mode(module: nn.Module, *, head_only: bool) -> None:
    """Training mode. head_only: the rest is frozen: no gradients, no dropout, no new batch-norm
    statistics (`train.freeze_epochs`). With LoRA only its matrices and the head ever learn."""
    module.train(not head_only)
    for parameter in module.parameters():
        parameter.requires_grad_(not head_only)
    if head_only:
        head = head_of(module).train()
        for parameter in head.parameters():
            parameter.requires_grad_(True)
    elif has_lora(module):
        freeze_to_lora(module)
