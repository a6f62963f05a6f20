"""Losses in which images count by their weights (`data.weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comp.tasks.counts import UNKNOWN
from comp.tasks.losses import LossFunction

if TYPE_CHECKING:
    from torch import Tensor


def weighed_loss(
    loss: LossFunction, logits: Tensor, target: Tensor, weights: Tensor, *, unknown: bool
) -> Tensor:
    """The mean over images of weight times loss. weights: (N,), 1 on average over the training
    part, so that a learning rate keeps its meaning.

    loss: a mean over images. unknown: whether cells of 0/1 columns may be unknown; an image then
    counts by those that are known, as it does without weights.
    """
    found = by_row(loss, logits, target) * weights
    if unknown:
        known = (target != UNKNOWN).sum(dim=1)
        return (found * known).sum() / known.sum().clamp_min(1)
    return found.mean()


def by_row(loss: LossFunction, logits: Tensor, target: Tensor) -> Tensor:
    """(N,) the loss of each image. loss: a mean over images of logits (N, C) and targets."""
    import torch

    found: Tensor = torch.func.vmap(lambda row, truth: loss(row[None], truth[None]))(logits, target)
    return found
