"""Test-time augmentation: what helps is kept, what harms is not, and flattery is not believed."""

from __future__ import annotations

import numpy as np

from comp.ensemble.views import judge_views, read_judged
from comp.metrics import METRICS
from comp.tasks import TASKS

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
    judged = judge_views(NAMES, BINARY, METRICS["accuracy"], target, probs, fold, 2)
    assert judged.chosen == "id+flip"
    assert judged.honest > judged.plain_score
    assert [row.view for row in judged.rows] == list(NAMES)
    assert judged.rows[1].merged > judged.plain_score > judged.rows[2].merged
    assert judged.rows[2].alone < 0.5
    assert (judged.rows[1].gained, judged.rows[2].gained) == (3, 0)
    assert read_judged(judged.plain()) == judged


def test_views_that_gain_by_luck_are_not_used() -> None:
    """A view that helps one half of the folds and harms the other is chosen where it harms."""
    target = np.arange(40) % 2
    good = np.where(target == 1, 0.6, 0.4)
    first = good.copy()
    first[:4] = 1 - first[:4]
    first[20:24] = 1 - first[20:24]
    second = np.where(np.arange(40) < 20, np.where(target == 1, 0.9, 0.1), 1 - good)
    third = np.where(np.arange(40) >= 20, np.where(target == 1, 0.9, 0.1), 1 - good)
    probs = np.stack([first, second, third])[..., None]
    fold = (np.arange(40) >= 20).astype(int)
    judged = judge_views(NAMES, BINARY, METRICS["accuracy"], target, probs, fold, 2)
    assert judged.honest < judged.plain_score
    assert judged.chosen == "id"
