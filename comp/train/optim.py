"""Optimizers and schedules, by timm's factories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import timm.optim
import torch
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import nn

from comp.config import TrainConfig
from comp.errors import ConfigError, nearest, pick

_FUSED = ("adam", "adamw", "sgd", "momentum", "nesterov")


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """timm's optimizer `train.opt`; biases and norms are not decayed. Fused kernels on CUDA.

    Raises ConfigError for a name that timm does not have.
    """
    known: list[str] = timm.optim.list_optimizers()
    if config.opt not in known:
        close = nearest(config.opt, known)
        hint = f" Did you mean {close!r}?" if close else ""
        raise ConfigError(f"unknown train.opt {config.opt!r}; timm has: {', '.join(known)}.{hint}")
    on_cuda = next(module.parameters()).device.type == "cuda"
    extra: dict[str, Any] = {"fused": True} if on_cuda and config.opt in _FUSED else {}
    optimizer: torch.optim.Optimizer = timm.optim.create_optimizer_v2(
        module, opt=config.opt, lr=config.lr, weight_decay=config.weight_decay, **extra
    )
    return optimizer


Options = Callable[[TrainConfig], dict[str, Any]]

# name -> what timm's factory is told beyond epochs and warm-up
SCHEDULES: dict[str, Options] = {
    "cosine": lambda _: {"sched": "cosine"},
    "poly": lambda _: {"sched": "poly", "decay_rate": 1.0},
    "constant": lambda _: {"sched": "constant"},
    "step": lambda c: {
        "sched": "step",
        "decay_epochs": c.decay_epochs,
        "decay_rate": c.decay_rate,
    },
}


def make_schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig, updates_per_epoch: int
) -> Scheduler:
    """The learning rate as a function of the number of updates made; warm-up is a part of it."""
    options = pick(SCHEDULES, config.sched, "train.sched")(config)
    schedule: Scheduler
    schedule, _ = create_scheduler_v2(
        optimizer,
        num_epochs=config.epochs,
        warmup_epochs=config.warmup_epochs,
        warmup_lr=config.lr / 100,
        step_on_epochs=False,
        updates_per_epoch=updates_per_epoch,
        **options,
    )
    schedule.step_update(0)
    return schedule
