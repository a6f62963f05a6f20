"""Test-time augmentation: what helps is kept, what harms is not, and flattery is not believed."""

from __future__ import annotations

import numpy as np

from comp.ensemble.tta_choice import choose_views, read_view_choice
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

NAMES = ("id", "flip", "rot90")
BINARY = TASKS["binary"]


def case(rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A flip that sees as much as the image, with noise of its own; a turn that errs."""
    draw = np.random.default_rng(0)
    target = np.arange(rows) % 2
    seen = [0.5 + 0.1 * (2 * target - 1) + draw.normal(0, 0.1, rows) for _ in range(2)]
    probs = np.stack([*seen, 1 - seen[0]]).clip(0, 1)[..., None]
    return target, probs, np.arange(rows) // 2 % 4


def test_a_view_that_helps_is_kept_and_one_that_harms_is_not() -> None:
    target, probs, fold = case()
    choice = choose_views(NAMES, BINARY, METRICS["accuracy"], target, probs, fold, 2)
    assert choice.chosen == "id+flip"
    assert choice.honest > choice.plain_score
    assert set(choice.by_fold.values()) == {"id+flip"}
    assert [row.view for row in choice.rows] == list(NAMES)
    assert choice.rows[1].merged > choice.plain_score > choice.rows[2].merged
    assert choice.rows[2].alone < 0.5
    assert (choice.rows[1].gained, choice.rows[2].gained) == (3, 0)
    assert read_view_choice(choice.plain()) == choice


def test_views_that_gain_by_luck_are_not_used() -> None:
    """A flip mends three rows of fold 0 and breaks two of fold 1: pooled it gains one, but chosen
    on fold 0 it breaks two of fold 1, and fold 1 would not choose it."""
    right, flip = np.full(20, 0.6), np.full(20, 0.6)
    right[:3], flip[:3] = 0.4, 0.9
    flip[10:12] = 0.1
    target = np.arange(20) % 2
    seen = np.stack([right, flip])  # of the true class
    probs = np.where(target == 1, seen, 1 - seen)[..., None]
    fold = np.arange(20) // 10
    choice = choose_views(("id", "flip"), BINARY, METRICS["accuracy"], target, probs, fold, 2)
    assert (choice.plain_score, choice.raw, choice.honest) == (17 / 20, 18 / 20, 15 / 20)
    assert choice.chosen == "id"
    assert choice.by_fold == {"0": "id", "1": "id"}


def test_the_views_for_the_images_of_a_fold_are_chosen_by_the_others() -> None:
    """A flip mends images of folds 0 and 1. Without fold 0 it gains on fold 1 alone, which no other
    fold bears out; so fold 0, which would choose it, is scored without it. Fold 2 gets it."""
    right, flip = np.full(30, 0.6), np.full(30, 0.6)
    right[[0, 1, 10, 11]], flip[[0, 1, 10, 11]] = 0.4, 0.9
    target = np.arange(30) % 2
    seen = np.stack([right, flip])
    probs = np.where(target == 1, seen, 1 - seen)[..., None]
    fold = np.arange(30) // 10
    choice = choose_views(("id", "flip"), BINARY, METRICS["accuracy"], target, probs, fold, 2)
    assert choice.chosen == "id+flip"
    assert [choice.views_for(number) for number in range(3)] == ["id", "id", "id+flip"]
    assert read_view_choice(choice.plain()) == choice
    old = {name: value for name, value in choice.plain().items() if name != "by_fold"}
    assert read_view_choice(old).views_for(0) == "id+flip"


def test_views_of_masks_are_choice_by_their_pixels() -> None:
    """Two views err in different images; together they are right. The third is noise."""
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 3, (40, 1, 8, 8)).astype(np.uint8)
    hot = (np.arange(3)[None, :, None, None] == truth).astype(float)
    noise = draw.dirichlet([1, 1, 1], (3, 40, 8, 8)).transpose(0, 1, 4, 2, 3)
    share = np.array([0.35, 0.35, 0.0])[:, None, None, None, None]
    maps = ((share * hot + (1 - share) * noise) * 255).round().astype(np.uint8)
    metric, task = METRICS["dice"], TASKS["segmentation"]
    choice = choose_views(NAMES, task, metric, truth, maps, np.arange(40) % 4, 2)
    assert choice.chosen == "id+flip"
    assert choice.honest == choice.raw > choice.plain_score + 0.03
    assert choice.rows[2].alone < 0.4
    single = choose_views(("id",), task, metric, truth, maps[:1], np.arange(40) % 4, 2)
    labels = maps[0].argmax(axis=1)
    own = [
        2 * ((labels == k) & (truth[:, 0] == k)).sum() / ((labels == k).sum() + (truth == k).sum())
        for k in (1, 2)
    ]
    assert single.plain_score == float(np.mean(own))
