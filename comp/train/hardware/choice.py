"""The device and the workers that a config asks for."""

from __future__ import annotations

import torch

from comp.config.schema import Config, TrainConfig
from comp.core.parallel import cores
from comp.data.images.resize import OWN_SIZE
from comp.models.device import Device, choose_device

_MOST_WORKERS = 32  # that prepare images: a card takes what they give, geometry is their work


def device_of(config: Config, local: int | None = None) -> Device:
    """The device that the config trains and predicts on. local: the number of this process among
    those of its machine that train together, each on a card of its own."""
    where = config.train.device
    if local is not None and where in ("auto", "cuda") and torch.cuda.is_available():
        where = f"cuda:{local}"
    return choose_device(
        config.train.precision,
        deterministic=config.train.deterministic,
        where=where,
        one_shape=config.image.resize not in OWN_SIZE,
    )


def count_workers(config: TrainConfig, device: Device) -> int:
    """`train.workers`; `auto`: a few processes for a GPU, none where the CPU does the training."""
    if config.workers != "auto":
        return config.workers
    if device.torch_device.type != "cuda":
        return 0
    return cores(_MOST_WORKERS)
