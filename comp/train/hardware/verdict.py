"""Whether an update is finite, found on the device and read one step late.

The optimizer leaves out an update that is not finite by itself (`found_inf` of fused optimizers),
so the CPU need not wait: it reads the verdict when the next step is in the queue already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Verdict:
    """Loss and norm of the gradient of an update that was begun at (epoch, step) with `lr`.

    `kept`   the buffers of the network before it
    `event`  when the two numbers have reached the CPU; None where nothing has to be waited for
    """

    epoch: int
    step: int
    lr: float
    values: Tensor
    kept: list[Tensor]
    event: torch.cuda.Event | None = None

    def read(self) -> tuple[float, float]:
        """Loss and norm; waits for the device if they are not there yet."""
        if self.event is not None:
            self.event.synchronize()
        loss, norm = self.values.cpu().numpy().tolist()
        return loss, norm


def to_cpu(values: Tensor, host: Tensor | None) -> tuple[Tensor, torch.cuda.Event | None]:
    """Values on their way to pinned memory `host`, and the event of their arrival; as they are
    where there is none."""
    if host is None:
        return values, None
    host.copy_(values, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return host, event


def not_finite(values: Tensor) -> Tensor:
    """One where some of the values are not finite, else zero, on their device: a `found_inf`."""
    return (~torch.isfinite(values).all()).float()


def is_finite(values: tuple[float, float]) -> bool:
    """Whether loss and norm are."""
    return all(math.isfinite(value) for value in values)
