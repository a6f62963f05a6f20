"""The loss of several tasks: the weighted sum of theirs, each over the images that it knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comp.tasks.counts import UNKNOWN
from comp.tasks.losses import LossFunction, Terms, make_loss

if TYPE_CHECKING:
    from torch import Tensor

    from comp.tasks.kinds import Part


def sum_of_tasks(terms: Terms) -> LossFunction:
    """The loss of `terms.parts`: of logits and targets (N, C), NaN where nobody said.

    Each task's is the sum over the images whose label is known, divided by all images: so parts of
    a batch add up to the batch, and an unknown label costs nothing.
    """
    made = [
        (part, make_loss(part.loss, part.task.link.family, _own_terms(terms, part)))
        for part in terms.parts
    ]

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        total = logits.sum() * 0
        for part, own in made:
            outputs, truth = logits[:, part.block], target[:, part.block]
            found = _over_known(part, own, outputs, truth) if terms.gaps else own(outputs, truth)
            total = total + part.weight * found
        return total

    return loss


def _own_terms(terms: Terms, part: Part) -> Terms:
    spread = None if terms.spread is None else terms.spread[part.block]
    return replace(terms, spread=spread, parts=(), gaps=False)


def _over_known(part: Part, loss: LossFunction, logits: Tensor, target: Tensor) -> Tensor:
    from torch import func, where

    partly = part.task.target_kind == "columns"
    cells = target.isfinite()
    known = cells.any(dim=1) if partly else cells.all(dim=1)
    filled = where(cells, target, float(UNKNOWN) if partly else 0.0)
    rows = func.vmap(lambda own, truth: loss(own[None], truth[None]))(logits, filled)
    return where(known, rows, 0.0).mean()
