"""Whether the images of a fold stay in the memory of the device while it is trained."""

from __future__ import annotations

import torch

from comp.config.schema import Config
from comp.core.errors import ConfigError
from comp.data.cache.store import Images, in_memory
from comp.data.loader.batched.resident import Resident, size_of
from comp.data.loader.recipes import make_recipe
from comp.models.device import Device, is_oom
from comp.train.hardware.choice import batched

SHARE = 0.6  # of the free memory that images may take; the rest is for the training


def keep_there(config: Config, device: Device, images: Images, others: bool) -> Resident | None:
    """The images on the device, as `image.resident` says; None where they come with each batch.

    others: whether images of elsewhere are shown between them. `auto` keeps them on CUDA where
    they fit. Raises ConfigError for `on` where that is not possible.
    """
    wanted = config.image.resident
    if wanted == "off" or (wanted == "auto" and not device.cuda):
        return None
    why = _obstacle(config, device, images, others) or _too_large(device, images)
    if why is None:
        try:
            return Resident(images, device.torch_device)
        except RuntimeError as problem:
            if not is_oom(problem):
                raise
            why = "the memory of the device is full"
    if wanted == "on":
        raise ConfigError(f"image.resident: on is not possible: {why}. Use auto, or off")
    return None


def _obstacle(config: Config, device: Device, images: Images, others: bool) -> str | None:
    """What in the config changes images before the device sees them; None: nothing does."""
    recipe = make_recipe(config.augment.recipe, config.image.size, config.image.channels)
    kind = config.image.channels, config.image.bits
    obstacles = {
        "data.bag chooses images of each bag": config.data.bag is not None,
        "image.channels and image.bits: it keeps images of 3 channels and 8 bits": kind != (3, 8),
        f"image.pack: {config.image.pack} or image.resize: {config.image.resize} decodes images "
        "for each batch": not in_memory(images),
        "augment.copies turns images on the CPU": config.augment.copies is not None,
        "augment.cutpaste pastes on the CPU": config.augment.cutpaste > 0,
        "images of data.extra or train.pseudo lie elsewhere": others,
        "the CPU augments (augment.backend)": recipe.changes and not batched(config, device),
    }
    return next((why for why, there in obstacles.items() if there), None)


def _too_large(device: Device, images: Images) -> str | None:
    if not device.cuda:
        return None
    free, _ = torch.cuda.mem_get_info(device.torch_device)
    if size_of(images) <= SHARE * free:
        return None
    return (
        f"they take {size_of(images) / 2**30:.1f} GiB, and {SHARE:.0%} of the free memory is "
        f"{SHARE * free / 2**30:.1f} GiB"
    )
