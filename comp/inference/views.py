"""Test-time augmentation: the views of an image, and the mean of their probabilities.

ttach makes the views and undoes them; its wrappers are not used, because they merge raw outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import ttach
from torch import Tensor

from comp.core.errors import pick
from comp.models.networks import Net
from comp.tasks.kinds import Task

# name -> the views; each is a chain of ttach transforms, the first leaves the image as it is
TTAS: dict[str, Callable[[], ttach.Compose]] = {
    "none": lambda: ttach.Compose([]),
    "hflip": lambda: ttach.Compose([ttach.HorizontalFlip()]),
    "flips": ttach.aliases.flip_transform,
    "d4": ttach.aliases.d4_transform,
}
AUTO = "auto"  # chosen on the out-of-fold predictions, see `comp.ensemble.tta_choice`
# The eight views of a square, by name, in the order of ttach's d4; `flip` is left to right.
VIEWS = ("id", "rot90", "rot180", "rot270", "flip", "flip90", "flip180", "flip270")


def views_of(tta: str, key: str = "predict.tta") -> list[Any]:
    """The views of a name in TTAS, or of names in VIEWS with `+` between: `id+flip`.

    key: of the config, for messages. Raises ConfigError for other names.
    """
    if tta in TTAS:
        return list(TTAS[tta]())
    known = dict(zip(VIEWS, TTAS["d4"](), strict=True))
    if "+" not in tta and tta not in known:
        pick({**TTAS, AUTO: None, **known}, tta, key)
    return [pick(known, name, f"view in {key}") for name in tta.split("+")]


def check_tta(tta: str) -> None:
    """Raise ConfigError unless `tta` is `auto` or names views."""
    if tta != AUTO:
        views_of(tta)


@torch.inference_mode()
def view_probs(net: Net, task: Task, images: Tensor, views: Sequence[Any]) -> Tensor:
    """(B, C) or (B, C, H, W) float32: the mean over the views of the probabilities of uint8 images
    (B, 3, H, W), or of bags (B, n, 3, H, W), whose images are all turned. Maps are turned back
    before they are merged."""
    total: Tensor | None = None
    for view in views:
        seen = view.augment_image(images if images.ndim == 4 else images.flatten(0, 1))
        probs = task.link.probs(net.logits(seen.unflatten(0, images.shape[: images.ndim - 3])))
        probs = view.deaugment_mask(probs) if probs.ndim == 4 else probs
        total = probs if total is None else total + probs
    assert total is not None, "a list of views holds the image itself at least"
    return total / len(views)
