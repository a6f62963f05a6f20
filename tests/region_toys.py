"""Maps of probabilities that say something about masks, and the plainest way to count them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from comp.ensemble.rules.region_levels import collect, histogram
from comp.ensemble.rules.regions import RegionRule, decide
from comp.tasks.counts import count_pixels
from comp.tasks.kinds import TASKS

Array = np.ndarray[Any, Any]


ONE, OVER = TASKS["segmentation"], TASKS["multilabel_segmentation"]


KINDS = pytest.mark.parametrize("task", [ONE, OVER], ids=lambda task: task.name)


def each(function: Callable[[int], Any], count: int, _: str) -> Iterable[Any]:
    return map(function, range(count))


def case(task: Any, seed: int, count: int = 12, size: int = 12) -> tuple[Array, Array]:
    """Maps (N, C, H, W) that say something about masks (N, L, H, W); 255 in a corner."""
    draw = np.random.default_rng(seed)
    truth = (draw.random((count, 2, size, size)) < 0.2).astype(np.uint8)
    truth[::3] = 0
    if task is ONE:
        truth = np.where(truth[:, 1:] == 1, 2, truth[:, :1]).astype(np.uint8)
        hot = np.stack([truth[:, 0] == value for value in range(3)], axis=1)
        maps = hot + draw.gamma(0.6, 1.0, hot.shape)
        maps /= maps.sum(axis=1, keepdims=True)
    else:
        maps = np.clip(truth * 0.35 + draw.random(truth.shape) * 0.6, 0, 1)
    truth[0, :, :2, :2] = 255
    return maps.astype(np.float32), truth


def _columns(task: Any) -> int:
    return int(task.columns(2))


def counted(task: Any, maps: Array, truth: Array, rule: RegionRule) -> Array:
    return np.stack(
        [
            count_pixels(mask, decide(one, rule, task), _columns(task))
            for one, mask in zip(maps, truth, strict=True)
        ]
    )


def histograms(task: Any, maps: Array, truth: Array) -> Any:
    rows = [histogram(one, mask, task, 2) for one, mask in zip(maps, truth, strict=True)]
    return collect(rows, task is ONE)
