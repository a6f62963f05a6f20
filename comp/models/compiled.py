"""A network compiled by torch (`train.compile`): the same weights under the same names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from comp.core.errors import reason
from comp.core.progress import say
from comp.models.device import Device, is_oom


class Compiled:
    """Calls a network through `torch.compile`, and by itself from the first failure on.

    The module itself is not wrapped, so checkpoints and averages do not notice.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.fast: Any = torch.compile(module, dynamic=False)

    def __call__(self, images: Tensor) -> Tensor:
        """What `module(images)` gives, up to rounding."""
        if self.fast is not None:
            try:
                found: Tensor = self.fast(images)
                return found
            except Exception as problem:  # the compiler and its tools raise whatever they like
                if is_oom(problem):
                    raise
                say(
                    f"train.compile: not possible with this network here ({reason(problem)}); "
                    "going on without"
                )
                self.fast = None
        plain: Tensor = self.module(images)
        return plain


def wants_compile(choice: str, device: Device, *, deterministic: bool) -> bool:
    """Whether `train.compile` means so here. Never with `train.deterministic`: another session may
    compile otherwise, and a resumed run would end with other bits. `auto` does not compile until
    measurements on a card say where it pays."""
    return choice == "on" and not deterministic and device.torch_device.type in ("cuda", "cpu")
