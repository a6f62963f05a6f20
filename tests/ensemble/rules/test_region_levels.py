"""Thresholds of masks: what histograms count, and which threshold is best, against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from region_toys import KINDS, ONE, OVER, Array, case, counted, histograms

from comp.ensemble.rules.region_levels import (
    best_levels,
    collect,
    counts_at,
    gain_of,
    histogram,
    nearest,
)
from comp.ensemble.rules.regions import LEVELS, NEUTRAL, RegionRule
from comp.tasks.metrics import METRICS

NAMES = ["dice", "iou", "image_dice", "image_iou", "dice_background", "precision"]


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


def where(counts: Array) -> dict[int, int]:
    """The levels that have pixels, and how many."""
    return {int(level): int(counts[level]) for level in np.flatnonzero(counts)}


def test_pixels_are_counted_by_their_score_and_what_they_are() -> None:
    """One class that may overlap others: the pixel whose truth is 255 counts nowhere."""
    probs = np.array([[[0.0, 0.5, 1.0, 0.5]]], np.float32)
    truth = np.array([[[0, 1, 1, 255]]], np.uint8)
    hit, _, predicted, actual, pixels = histogram(probs, truth, OVER, 1)
    assert where(hit[0]) == {128: 1, 255: 1}
    assert where(predicted[0]) == {0: 1, 128: 1, 255: 1}
    assert (actual.tolist(), int(pixels)) == ([2], 3)


def test_a_pixel_of_one_class_counts_for_the_likeliest_class_alone() -> None:
    """Its score is that class's share of what it and the background have together."""
    probs = np.array([[0.25, 0.6], [0.5, 0.1], [0.25, 0.3]], np.float32)[
        :, None
    ]  # background first
    truth = np.array([[[0, 2]]], np.uint8)
    hit, empty, predicted, actual, pixels = histogram(probs, truth, ONE, 2)
    assert [where(row) for row in predicted] == [{170: 1}, {85: 1}]
    assert [where(row) for row in hit] == [{}, {85: 1}]
    assert [where(row) for row in empty] == [{170: 1}, {}]
    assert (actual.tolist(), int(pixels)) == ([0, 1], 2)


@KINDS
def test_each_image_may_have_its_own_levels(task: Any) -> None:
    maps, truth = case(task, 3, count=2)
    found = histograms(task, maps, truth)
    both = counts_at(found, np.array([[30, 200], [128, 255]]))
    assert (both[0] == counts_at(found, np.array([30, 200]))[0]).all()
    assert (both[1] == counts_at(found, np.array([128, 255]))[1]).all()


@KINDS
def test_levels_are_those_of_the_rows_that_are_given(task: Any) -> None:
    maps, truth = case(task, 4)
    rows, metric = np.array([0, 3, 6, 10]), METRICS["dice"]
    whole = histograms(task, maps, truth)
    some = best_levels(whole, rows, metric)
    alone = best_levels(histograms(task, maps[rows], truth[rows]), np.arange(4), metric)
    assert some.tolist() == alone.tolist()
    assert (
        some.tolist() != best_levels(histograms(task, maps, truth), np.arange(12), metric).tolist()
    )


@pytest.mark.parametrize("name", ["dice", "iou", "precision", "recall"])
def test_a_class_that_occurs_nowhere_keeps_a_half(name: str) -> None:
    """Below 0.4 it has false positives and a score of 0, above it none and no score."""
    maps, truth = np.full((2, 1, 4, 4), 0.4, np.float32), np.zeros((2, 1, 4, 4), np.uint8)
    found = collect([histogram(m, t, OVER, 1) for m, t in zip(maps, truth, strict=True)], False)
    assert best_levels(found, np.arange(2), METRICS[name]).tolist() == [NEUTRAL]


def test_image_by_image_a_class_that_occurs_nowhere_is_best_left_out() -> None:
    maps, truth = np.full((2, 1, 4, 4), 0.6, np.float32), np.zeros((2, 1, 4, 4), np.uint8)
    found = collect([histogram(m, t, OVER, 1) for m, t in zip(maps, truth, strict=True)], False)
    assert best_levels(found, np.arange(2), METRICS["image_dice"]).tolist() == [154]


@pytest.mark.parametrize(
    ("scores", "neutral", "place"),
    [
        ([0.1, 0.9, 0.2], 0, 1),
        ([1.0, 0.0, 1.0, 0.0, 1.0], 4, 4),
        ([1.0, 0.0, 1.0, 0.0, 1.0], 3, 2),
        ([0.5, 0.5 + 1e-13, 0.1], 0, 0),
        ([np.nan, 0.2, np.nan], 2, 1),
        ([np.nan, np.nan], 1, 1),
    ],
)
def test_of_equal_scores_the_place_nearest_to_the_neutral_one_wins(
    scores: list[float], neutral: int, place: int
) -> None:
    assert nearest(np.array(scores), neutral) == place


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("dice", 0.4),
        ("image_dice", 0.5),
        ("iou", 0.25),
        ("precision", 1.0),
        ("pixel_accuracy", 0.4),
    ],
)
def test_a_gain_is_over_the_set_or_the_mean_of_the_images(name: str, gain: float) -> None:
    """One image right, one missed; a metric that is no ratio of one class is judged by Dice."""
    counts = np.array([[[1, 0, 0, 8]], [[0, 0, 3, 6]]])
    assert gain_of(METRICS[name])(counts).tolist() == [gain]
