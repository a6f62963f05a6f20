"""From the maps of the members to masks: merged image by image, decided by a rule per class.

A pixel has a score for each class. Where regions may overlap it is the probability. Where each
pixel has one class, only the likeliest class but the background has one: its share of what it and
the background have together, so that a half is what the largest probability decides. Scores are
kept in 256 levels.

The rule of a class has three numbers: its threshold; the fewest pixels of a region that is kept
(pixels connected by edges or corners); and the fewest pixels that must remain in the image, with
fewer of which the class is left out. Both areas count pixels at the size of the image itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from comp.data.images.geometry import scaled
from comp.ensemble.votes import Vote, ballots
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]

LEVELS = 256
NEUTRAL = LEVELS // 2  # the level of a half
_STEPS = 255  # of a probability that is kept in a byte


@dataclass(frozen=True)
class RegionRule:
    """(K,) each: `levels` (a score of level / 256 at least is in), `smallest`, `least` pixels."""

    levels: Array
    smallest: Array
    least: Array

    def table(self) -> Array:
        """(K, 3) float: threshold, smallest region, fewest pixels."""
        return np.stack([self.levels / LEVELS, self.smallest, self.least], axis=1).astype(float)

    @staticmethod
    def of(table: Any) -> RegionRule:
        """The rule whose `table` this is."""
        rows = np.asarray(table, dtype=float)
        return RegionRule(
            np.rint(rows[:, 0] * LEVELS).astype(np.int64),
            rows[:, 1].astype(np.int64),
            rows[:, 2].astype(np.int64),
        )


def neutral_rule(classes: int) -> RegionRule:
    """The rule that changes nothing."""
    zeros = np.zeros(classes, dtype=np.int64)
    return RegionRule(np.full(classes, NEUTRAL, dtype=np.int64), zeros, zeros)


def merged(
    members: Sequence[Any], row_of: Sequence[int], weights: Array, vote: Vote, task: Task
) -> Array:
    """(C, h, w) float32: the maps of one image from all members, each (N, C, h, w) uint8.

    row_of: its row in each member. Members of other sizes are brought to that of the first. A hard
    vote counts the decisions of the members, with a trace of how sure they are: of classes that tie
    the one with the larger mean probability wins.
    """
    values, shares = list[Array](), list[float]()
    side: tuple[int, int] | None = None
    for member, row, weight in zip(members, row_of, weights, strict=True):
        if not weight:
            continue
        maps = np.asarray(member[row]).astype(np.float32)
        maps *= np.float32(1 / _STEPS) if member.dtype == np.uint8 else np.float32(1)
        side = side or maps.shape[1:]
        values.append(_transformed(scaled(maps, *side)[None], vote, task))
        shares.append(weight)
    total = vote.average(values, np.asarray(shares, dtype=np.float32))
    out = vote.inverse(total, task.link)[0] if vote.gives_probs else np.clip(total[0], 0, 1)
    out = out / out.sum(axis=0, keepdims=True) if task.link.normalized else out
    return np.asarray(out, dtype=np.float32)


def _transformed(maps: Array, vote: Vote, task: Task) -> Array:
    if vote.gives_probs:
        return vote.transform(maps)
    rule = task.link.neutral(maps.shape[1])
    flat = maps[0].reshape(len(maps[0]), -1).T  # one row per pixel
    return ballots(task, flat, rule).T.reshape(maps.shape)


def levels_of(probs: Array, task: Task) -> tuple[Array, Array | None]:
    """The levels of the scores, (K, H, W) uint8, and None; with one class per pixel (1, H, W), and
    (H, W) uint8 the class, 1..K, that each is of. probs: (C, H, W)."""
    if not task.link.normalized:
        return _quantized(probs), None
    own = probs[1:]
    best = own.argmax(axis=0)
    top = np.take_along_axis(own, best[None], axis=0)[0]
    levels = _quantized(top / np.maximum(top + probs[0], 1e-12))
    tied = (top <= probs[0]) & (levels >= NEUTRAL)  # to the background, as the largest would be
    levels[tied] = NEUTRAL - 1
    return levels[None], (best + 1).astype(np.uint8)


def _quantized(scores: Array) -> Array:
    return np.asarray(np.minimum(scores * LEVELS, LEVELS - 1), dtype=np.uint8)


def class_mask(levels: Array, which: Array | None, number: int, level: int) -> Array:
    """(H, W) bool: where class `number`, 1..K, has this level at least."""
    if which is None:
        return np.asarray(levels[number - 1] >= level)
    return np.asarray((which == number) & (levels[0] >= level))


def components(mask: Array) -> tuple[Array, Array]:
    """(H, W) int32 numbers of the regions, 0 outside; and their areas, (R,)."""
    found: Any = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return found[1], np.asarray(found[2][1:, cv2.CC_STAT_AREA], dtype=np.int64)


def decide(probs: Array, rule: RegionRule, task: Task) -> Array:
    """(L, H, W) uint8: the mask of one image, from (C, H, W) at its own size."""
    levels, which = levels_of(probs, task)
    classes = len(rule.levels)
    out = np.zeros((1 if which is not None else classes, *probs.shape[1:]), dtype=np.uint8)
    for number in range(1, classes + 1):
        mask = class_mask(levels, which, number, int(rule.levels[number - 1]))
        mask = _cleaned(mask, int(rule.smallest[number - 1]), int(rule.least[number - 1]))
        if which is None:
            out[number - 1] = mask
        else:
            out[0][mask] = number
    return out


def _cleaned(mask: Array, smallest: int, least: int) -> Array:
    if smallest > 1 and mask.any():
        numbers, areas = components(mask)
        mask = np.concatenate([[False], areas >= smallest])[numbers]
    return mask if mask.sum() >= least else np.zeros_like(mask)
