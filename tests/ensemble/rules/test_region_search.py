"""Rules for distances and objects, searched on a grid and cross-fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from comp.ensemble.rules.region_search import search_regions
from comp.ensemble.rules.regions import RegionRule, decide
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

Array = np.ndarray
MANY = TASKS["multilabel_segmentation"]


def each(function: Callable[[int], Any], count: int, _: str) -> Iterable[Any]:
    return map(function, range(count))


def images(shift: float, count: int = 16) -> Callable[[int], tuple[Array, Array]]:
    """Probabilities (1, H, W) of a blob, too low by `shift`, and the blob."""

    def read(row: int) -> tuple[Array, Array]:
        noise = gaussian_filter(np.random.default_rng(row).normal(size=(40, 40)), 4) * 12
        truth = (noise > 1)[None].astype(np.uint8)
        probs = 1 / (1 + np.exp(-(noise - 1 - shift)))
        return probs[None].astype(np.float32), truth

    return read


@pytest.mark.parametrize("name", ["surface_dice_1", "hausdorff_95", "boundary_iou", "box_map"])
def test_thresholds_that_are_off_are_found_and_the_honest_score_gains(name: str) -> None:
    metric, fold = METRICS[name], np.arange(16) % 4
    read = images(0.9)
    found = search_regions(read, fold, MANY, metric, 1, each, tuned=True)
    raw, tuned, honest = (metric.score(a, a, 1) for a in (found.raw, found.tuned, found.honest))
    assert metric.better(honest, raw)
    assert metric.better(tuned, raw)
    assert found.rule.levels[0] in (64, 96)
    assert "from a grid" in found.note
    again = np.stack(
        [
            metric.of_image(truth, decide(probs, found.rule, MANY), probs, 1)
            for probs, truth in map(read, range(16))
        ]
    )
    assert np.array_equal(again, found.tuned)
    assert found.by_fold is not None
    assert found.by_fold.shape == (4, *found.raw.shape)


def test_where_nothing_gains_the_rule_is_neutral() -> None:
    fold = np.arange(16) % 4
    for tuned in (True, False):
        found = search_regions(
            images(0.0), fold, MANY, METRICS["surface_dice_1"], 1, each, tuned=tuned
        )
        assert found.rule == RegionRule.of([[0.5, 0, 0]]) or found.rule.table().tolist() == [
            [0.5, 0.0, 0.0]
        ]
        assert np.array_equal(found.tuned, found.raw)
