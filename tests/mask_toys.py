"""Masks that lie in memory, and maps of members that say something about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.inference.predictions import Predictions
from comp.tasks.kinds import Task

PLAN = "a" * 64


@dataclass(frozen=True)
class Still:
    """The mask of an image, (H, W, L)."""

    mask: Any

    def digest(self) -> str:
        return self.mask.tobytes().hex()

    def objects(self) -> Any:
        raise NotImplementedError

    def read(self) -> Any:
        return self.mask


def maps_of(task: Task, masks: Sequence[Any], classes: int, sure: float = 0.8) -> np.ndarray:
    """(N, C, H, W) uint8: maps that decide as masks (L, H, W) of one size say, `sure` of it."""
    out = []
    for mask in masks:
        if task.link.normalized:
            hot = np.stack([mask[0] == number for number in range(classes + 1)])
            probs = np.where(hot, sure, (1 - sure) / classes)
        else:
            probs = np.where(mask == 1, sure, 1 - sure)
        out.append(np.rint(probs * 255).astype(np.uint8))
    return np.stack(out)


def mask_member(
    task: Task, ids: Sequence[str], maps: Any, classes: Sequence[str], fold: int = 0
) -> Predictions:
    """Maps as the predictions of one member."""
    source = {"plan": PLAN, "fold": fold}
    return Predictions(tuple(ids), maps, task.column_names(classes), task.link.name, source)
