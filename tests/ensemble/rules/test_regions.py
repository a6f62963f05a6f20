"""Regions from maps: merged, and decided by a rule per class."""

from __future__ import annotations

from typing import Any

import numpy as np
from region_toys import KINDS, ONE, OVER, case

from comp.ensemble.rules.regions import RegionRule, decide, merged, neutral_rule
from comp.ensemble.votes import VOTES


@KINDS
def test_the_neutral_rule_decides_as_the_task_does(task: Any) -> None:
    maps, _ = case(task, 0)
    for one in maps:
        assert (decide(one, neutral_rule(2), task) == task.decide(one[None])[0]).all()


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
