"""Rules of regions: exact counts of what they decide, and honest about the folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from region_toys import KINDS, ONE, OVER, Array, case, counted, each

from comp.ensemble.rules.region_fit import RegionCounts, count_regions, fit_regions
from comp.ensemble.rules.regions import NEUTRAL, neutral_rule
from comp.tasks.metrics import METRICS


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


def fitted(maps: Array, truth: Array, folds: int, name: str = "dice", **more: Any) -> Any:
    """The fit of maps of classes that may overlap, image n in fold n modulo `folds`."""
    fold = np.arange(len(maps)) % folds
    tuned = more.get("tuned", True)
    return fit_regions(
        lambda row: (maps[row], truth[row]), fold, OVER, METRICS[name], maps.shape[1], each,
        tuned=tuned,
    )  # fmt: skip


def test_nothing_is_tuned_where_it_is_not_asked_for() -> None:
    maps, truth = case(OVER, 4)
    fit = fitted(maps, truth, 3, tuned=False)
    assert fit.rule.table().tolist() == neutral_rule(2).table().tolist()
    assert fit.note == ""
    assert fit.raw is fit.tuned is fit.honest


def test_parts_that_gain_nothing_are_named_and_not_used() -> None:
    """Maps that are right at a half leave nothing to gain."""
    _, truth = case(OVER, 1)
    truth[truth == 255] = 0
    fit = fitted(truth.astype(np.float32), truth, 3)
    assert fit.rule.table().tolist() == neutral_rule(2).table().tolist()
    assert fit.note == (
        "rule: neutral; not used because they gain nothing out of fold: "
        "thresholds, smallest regions, fewest pixels"
    )


def test_a_shift_of_all_scores_is_mended_by_thresholds_alone() -> None:
    _, truth = case(OVER, 1)
    truth[truth == 255] = 0
    fit = fitted((0.1 + 0.25 * truth).astype(np.float32), truth, 3)
    assert (fit.rule.levels < NEUTRAL).all()
    assert METRICS["dice"].score(fit.raw, fit.raw, 2) == 0.0
    assert METRICS["dice"].score(fit.honest, fit.honest, 2) == 1.0
    assert fit.note.startswith("rule: thresholds; not used because")


def test_a_fold_is_never_decided_by_a_threshold_that_was_fitted_on_it() -> None:
    """The best threshold of all images, above 0.6, is not the best without fold 1 or without 2."""
    truth = np.zeros((6, 1, 4, 4), np.uint8)
    truth[:, 0, :2] = 1
    maps = np.where(truth == 1, 0.9, 0.6).astype(np.float32)
    maps[::3] = np.where(truth[::3] == 1, 0.4, 0.2)
    fit = fitted(maps, truth, 3)
    said = fit.honest[..., 0] + fit.honest[..., 1]
    assert said.ravel().tolist() == [0, 16, 16] * 2


@pytest.mark.parametrize("seed", range(4))
def test_nothing_of_a_fold_decides_how_it_is_decided(seed: int) -> None:
    """Neither its rule nor which parts of the rule are used: on noise both would flatter it."""
    draw = np.random.default_rng(seed)
    maps = draw.random((16, 1, 8, 8), dtype=np.float32)
    truth = (draw.random(maps.shape) < 0.3).astype(np.uint8)
    said = [
        (fit.honest[..., 0] + fit.honest[..., 1])[::4]
        for fit in (fitted(maps, changed, 4) for changed in (truth, _without(truth, 4)))
    ]
    assert said[0].tolist() == said[1].tolist()


def _without(truth: Array, folds: int) -> Array:
    """The truth of the first fold the other way round."""
    out = truth.copy()
    out[::folds] = 1 - out[::folds]
    return out


def test_the_counts_of_all_images_by_the_rule_of_each_fold_are_kept() -> None:
    maps, truth = case(OVER, 4, count=12)
    fit = fitted(maps, truth, 3)
    for fold in range(3):
        assert fit.by_fold[fold, fold::3].tolist() == fit.honest[fold::3].tolist()


REGIONS = RegionCounts(*np.array([[0, 0, 2], [5, 2, 1], [4, 0, 1], [1, 2, 0], [5, 2, 1]]))


@pytest.mark.parametrize(
    ("smallest", "least", "kept"),
    [
        (0, 0, [[4, 0, 1], [3, 0, 0], [7, 0, 1]]),
        (2, 0, [[4, 0, 0], [3, 0, 0], [7, 0, 0]]),
        (3, 0, [[4, 0, 0], [1, 0, 0], [5, 0, 0]]),
        (0, 7, [[4, 0, 0], [3, 0, 0], [7, 0, 0]]),
        (3, 6, [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_small_regions_go_first_and_then_images_with_too_little_left(
    smallest: int, least: int, kept: list[list[int]]
) -> None:
    assert [part.tolist() for part in REGIONS.kept(smallest, least, 3)] == kept


def test_images_without_regions_keep_nothing() -> None:
    none = RegionCounts(*np.zeros((5, 0), np.int64))
    assert [part.tolist() for part in none.kept(3, 6, 2)] == [[0, 0]] * 3


def test_regions_are_measured_at_each_level_that_is_wanted() -> None:
    """(area, right, background, judged) of each region; the pixel of truth 255 is not judged."""
    probs = np.array([[[0.9, 0.9, 0.1, 0.6], [0.9, 0.1, 0.1, 0.6]]], np.float32)
    truth = np.array([[[1, 0, 0, 1], [255, 0, 0, 1]]], np.uint8)
    ((low, high, none),) = count_regions(probs, truth, OVER, [np.array([128, 200, 255])])
    assert low.tolist() == [[3, 1, 1, 2], [2, 2, 0, 2]]
    assert high.tolist() == [[3, 1, 1, 2]]
    assert none.shape == (0, 4)


def test_a_region_that_lies_on_another_class_is_neither_right_nor_background() -> None:
    probs = np.array([[0.1, 0.1], [0.8, 0.8], [0.1, 0.1]], np.float32)[:, None]
    truth = np.array([[[1, 2]]], np.uint8)
    first, second = count_regions(probs, truth, ONE, [np.array([128]), np.array([128])])
    assert first[0].tolist() == [[2, 1, 0, 2]]
    assert second[0].tolist() == []


def test_the_score_of_each_class_is_over_the_set_and_without_the_background() -> None:
    background, own, absent = [9, 1, 1, 0], [2, 1, 1, 7], [0, 0, 0, 11]
    counts = np.array([[background, own, absent], [background, [1, 0, 2, 8], absent]])
    found = METRICS["iou"].class_scores(counts, 2)[1:]
    assert found[0] == pytest.approx(3 / 7)
    assert np.isnan(found[1])
    assert METRICS["pixel_accuracy"].class_scores(counts, 2)[1] == pytest.approx(6 / 10)
