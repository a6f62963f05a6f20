"""Grades: classes in an order, 0..K-1. How a network can learn them, and how cut points decide.

Whatever it learned, its answer is a probability for each grade, (N, K), so that members that
learned in different ways are averaged like all others. The expected grade is a number from 0 to
K - 1, and a grade is answered from its cut point on: a rule is (K,), grade k begins at `rule[k]`,
and `rule[0]` says nothing.

A network that predicts one number x per image gives K - 1 steps: `x - k` (`regression`), or x plus
a bias that is learned for each step (`coral`, Cao, Mirjalili & Raschka 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comp.core.errors import TuneError

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
Steps = Literal["none", "fixed", "learned"]


def expected_grade(probs: Array) -> Array:
    """(N,) float64, from 0 to K - 1; probs: (N, K, ...)."""
    places = np.arange(probs.shape[1], dtype=np.float64)
    return np.asarray(np.tensordot(places, np.asarray(probs, dtype=np.float64), axes=(0, 1)))


def between_cuts(probs: Array, rule: Array) -> Array:
    """(N,) int64: the grade whose cut point is the last that the expected grade reaches.

    Raises TuneError for a rule that has not a cut point for each grade.
    """
    if np.shape(rule) != (probs.shape[1],):
        raise TuneError(f"a rule of shape {np.shape(rule)} for {probs.shape[1]} columns")
    return np.searchsorted(np.asarray(rule)[1:], expected_grade(probs), side="right")


def halfway(grades: int) -> Array:
    """The rule that rounds: grade k begins at k - 1/2."""
    return np.arange(grades) - 0.5


def of_steps(above: Tensor) -> Tensor:
    """(N, K) probabilities from those of being above each of the grades 0..K-2, (N, K - 1).

    They fall from step to step, or are made to (`coral` may learn its biases in another order).
    """
    from torch import cat, ones_like, zeros_like

    falling = above.cummin(dim=1).values
    first = falling[:, :1]
    return cat([ones_like(first), falling], 1) - cat([falling, zeros_like(first)], 1)


def fixed_probs(steps: Tensor) -> Tensor:
    """Between two neighbours: a number of 2.3 is grade 2 by 0.7 and grade 3 by 0.3."""
    return of_steps(steps.float().clamp(0, 1))


def neighbours(numbers: Array, grades: int) -> Array:
    """(N, K) float64: the same, of numbers (N,) from 0 to K - 1."""
    steps = np.clip(numbers[:, None] - np.arange(grades - 1), 0, 1)
    reached = np.pad(steps, ((0, 0), (1, 0)), constant_values=1)
    return np.asarray(reached - np.pad(steps, ((0, 0), (0, 1))))


def learned_probs(steps: Tensor) -> Tensor:
    """From cumulative logits."""
    return of_steps(steps.float().sigmoid())


def _above(target: Tensor, grades: int) -> Tensor:
    """(N, K - 1) float: the share of a target (N,), or soft (N, K), above each step."""
    from torch import arange

    if target.is_floating_point():
        return target.flip(1).cumsum(1).flip(1)[:, 1:]
    steps = arange(grades - 1, device=target.device)
    return (target.reshape(-1, 1) > steps).float()


def as_steps(target: Tensor, steps: Tensor) -> Tensor:
    """What `coral` learns: zeros and ones (N, K - 1), or shares where the target is soft."""
    return _above(target, steps.shape[1] + 1)


def as_number(target: Tensor, _: Tensor) -> Tensor:
    """What `regression` learns: (N, 1) float grades, expected ones where the target is soft."""
    if target.is_floating_point():
        return _above(target, target.shape[1]).sum(dim=1, keepdim=True)
    return target.reshape(-1, 1).float()


def coral(smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of `coral`: cross-entropy of being above each step, summed over the steps, the mean
    over images. smoothing: label smoothing in [0, 1)."""
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    def loss(steps: Tensor, target: Tensor) -> Tensor:
        smooth = target.float() * (1 - smoothing) + smoothing / 2
        cells: Tensor = bce(steps.float(), smooth, reduction="none")
        return cells.sum(dim=1).mean()

    return loss


def step_log_odds(shares: Array, least: float) -> Array:
    """(K - 1,) the logits of being above each step, from the shares of the grades (K,)."""
    above = np.clip(np.cumsum(shares[::-1])[::-1][1:], least, 1 - least)
    return np.asarray(np.log(above) - np.log1p(-above))


def grade_mae(target: Array, labels: Array, _: int, weights: Array) -> Array:
    """The mean distance between the grade and the answer, in grades."""
    sums = weights.sum(axis=1)
    mean = weights @ np.abs(target - labels).astype(np.float64)
    return np.where(sums > 0, mean / np.where(sums > 0, sums, 1), np.nan)
