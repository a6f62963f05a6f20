"""Regions from maps: merging, rules, and what is fitted, against brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from comp.ensemble.rules.region_fit import fit_regions
from comp.ensemble.rules.region_levels import best_levels, collect, counts_at, histogram
from comp.ensemble.rules.regions import LEVELS, RegionRule, decide, merged, neutral_rule
from comp.ensemble.votes import VOTES
from comp.tasks.counts import count_pixels
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

Array = np.ndarray[Any, Any]
ONE, OVER = TASKS["segmentation"], TASKS["multilabel_segmentation"]
KINDS = pytest.mark.parametrize("task", [ONE, OVER], ids=lambda task: task.name)
NAMES = ["dice", "iou", "image_dice", "image_iou", "dice_background", "precision"]


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


def columns(task: Any) -> int:
    return int(task.columns(2))


def counted(task: Any, maps: Array, truth: Array, rule: RegionRule) -> Array:
    return np.stack(
        [
            count_pixels(mask, decide(one, rule, task), columns(task))
            for one, mask in zip(maps, truth, strict=True)
        ]
    )


def histograms(task: Any, maps: Array, truth: Array) -> Any:
    rows = [histogram(one, mask, task, 2) for one, mask in zip(maps, truth, strict=True)]
    return collect(rows, task is ONE)


@KINDS
def test_the_neutral_rule_decides_as_the_task_does(task: Any) -> None:
    maps, _ = case(task, 0)
    for one in maps:
        assert (decide(one, neutral_rule(2), task) == task.decide(one[None])[0]).all()


@KINDS
def test_histograms_count_what_the_rule_decides(task: Any) -> None:
    maps, truth = case(task, 1)
    found = collect(
        [histogram(m, t, task, 2) for m, t in zip(maps, truth, strict=True)], task is ONE
    )
    for levels in ([128, 128], [30, 200], [0, 255]):
        rule = RegionRule(np.array(levels), np.zeros(2, int), np.zeros(2, int))
        assert (counts_at(found, rule.levels) == counted(task, maps, truth, rule)).all()


@pytest.mark.parametrize("name", NAMES)
@KINDS
def test_no_threshold_is_better_than_the_one_that_is_found(task: Any, name: str) -> None:
    maps, truth = case(task, 2)
    metric = METRICS[name]
    found = collect(
        [histogram(m, t, task, 2) for m, t in zip(maps, truth, strict=True)], task is ONE
    )
    best = best_levels(found, np.arange(len(maps)), metric)
    plain = METRICS[name.removesuffix("_background")]

    def score(levels: Array) -> float:
        counts = counts_at(found, levels)
        return plain.score(counts, counts, 2)

    for other in range(0, LEVELS, 5):
        for place in range(2):
            levels = best.copy()
            levels[place] = other
            assert not score(levels) > score(best) + 1e-12


@pytest.mark.parametrize("name", ["dice", "image_dice"])
@KINDS
def test_the_counts_of_a_fit_are_those_of_its_rule(task: Any, name: str) -> None:
    maps, truth = case(task, 3, count=20)
    fold = np.arange(20) % 4
    fit = fit_regions(
        lambda row: (maps[row], truth[row]), fold, task, METRICS[name], 2, each, tuned=True
    )
    assert (fit.tuned == counted(task, maps, truth, fit.rule)).all()
    assert (fit.raw == counted(task, maps, truth, neutral_rule(2))).all()
    scores = [METRICS[name].score(c, c, 2) for c in (fit.raw, fit.honest)]
    assert scores[1] >= scores[0]


def test_small_regions_and_small_masks_go() -> None:
    maps = np.zeros((2, 8, 8), dtype=np.float32)
    maps[0, 0, 0] = maps[0, 4:6, 4:6] = 0.9
    maps[1, 3, 3] = 0.9
    levels = np.array([128, 128])
    assert decide(maps, RegionRule(levels, np.array([2, 0]), np.array([0, 0])), OVER).sum() == 5
    assert decide(maps, RegionRule(levels, np.array([0, 0]), np.array([6, 2])), OVER).sum() == 0
    assert decide(maps, RegionRule(levels, np.array([0, 0]), np.array([5, 1])), OVER).sum() == 6


def test_regions_that_touch_at_a_corner_are_one() -> None:
    maps = np.zeros((1, 4, 4), dtype=np.float32)
    maps[0, 0, 0] = maps[0, 1, 1] = 0.9
    rule = RegionRule(np.array([128]), np.array([2]), np.array([0]))
    assert decide(maps, rule, OVER).sum() == 2


def test_what_is_noise_in_every_fold_is_learnt_to_be_dropped() -> None:
    draw = np.random.default_rng(0)
    maps, truth = np.zeros((20, 1, 16, 16), np.float32), np.zeros((20, 1, 16, 16), np.uint8)
    for row in range(20):
        truth[row, 0, 2:9, 2:9] = row % 2
        maps[row, 0] = 0.8 * truth[row, 0]
        maps[row, 0, 12, int(draw.integers(16))] = 0.95
    fit = fit_regions(
        lambda row: (maps[row], truth[row]), np.arange(20) % 5, OVER, METRICS["image_dice"], 1,
        each, tuned=True,
    )  # fmt: skip
    assert 1 < fit.rule.smallest[0] <= 49
    assert METRICS["image_dice"].score(fit.honest, fit.honest, 1) == 1.0
    assert "smallest regions" in fit.note


def test_one_fold_alone_tunes_nothing() -> None:
    maps, truth = case(OVER, 4)
    fit = fit_regions(
        lambda row: (maps[row], truth[row]),
        np.zeros(12),
        OVER,
        METRICS["dice"],
        2,
        each,
        tuned=True,
    )
    assert fit.rule.table().tolist() == neutral_rule(2).table().tolist()


@KINDS
def test_members_of_bytes_are_merged_like_their_mean(task: Any) -> None:
    maps, _ = case(task, 5, count=3)
    other, _ = case(task, 6, count=3)
    bytes_ = [np.rint(m * 255).astype(np.uint8) for m in (maps, other)]
    found = merged(bytes_, [1, 2], np.array([0.25, 0.75]), VOTES["soft"], task)
    want = 0.25 * maps[1] + 0.75 * other[2]
    np.testing.assert_allclose(found, want / (want.sum(0) if task is ONE else 1), atol=0.01)


@KINDS
def test_a_hard_vote_is_the_majority_of_the_members(task: Any) -> None:
    maps, _ = case(task, 7, count=3)
    found = merged(list(maps[:, None]), [0, 0, 0], np.full(3, 1 / 3), VOTES["hard"], task)
    labels = decide(found, neutral_rule(2), task)
    votes = np.stack([task.decide(one[None])[0] for one in maps])
    if task is OVER:
        assert (labels == (votes.sum(axis=0) >= 2)).all()
    else:
        share = np.stack([(votes == value).sum(axis=0)[0] for value in range(3)])
        clear = share.max(axis=0) >= 2
        assert (labels[0] == share.argmax(axis=0))[clear].all()
