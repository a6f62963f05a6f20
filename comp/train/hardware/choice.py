"""The device, its part of the augmentation, and the workers that a config asks for."""

from __future__ import annotations

import torch

from comp.config.schema import Config, TrainConfig
from comp.core.errors import ConfigError
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


def batched(config: Config, device: Device) -> bool:
    """Whether the device does what the augmentation recipe draws (`augment.backend`).

    `auto`: on CUDA, where it has an operation for each transform of the recipe. Raises ConfigError
    for `device` where it has none.
    """
    wanted = config.augment.backend
    if wanted == "cpu" or (wanted == "auto" and not device.cuda):
        return False
    why = _not_batched(config)
    if why is None:
        return True
    if wanted == "device":
        raise ConfigError(f"augment.backend: device is not possible: {why}. Use auto, or cpu")
    return False


def _not_batched(config: Config) -> str | None:
    """Why the device cannot augment; None where it can."""
    if config.image.resize == "none":
        return "image.resize: none augments each image at its own size"
    if config.data.bag is not None:
        return "data.bag chooses images of each bag before they are augmented"
    if (config.image.channels, config.image.bits) != (3, 8):
        return "image.channels and image.bits: it augments images of 3 channels and 8 bits only"
    from comp.data.loader.batched.draws import not_batched  # albumentations: not to predict

    recipe = config.augment.recipe
    lacking = not_batched(recipe, config.image.size)
    if lacking is None:
        return None
    return f"the recipe {recipe!r} has {lacking}, for which the device has no operation"
