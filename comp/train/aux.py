"""Auxiliary targets: further columns that a network learns beside the answer, and never answers.

A linear layer of its own reads what goes into the last layer of the network, so that the network
that is saved, predicted with and exported has nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from comp.core.errors import ModelError
from comp.models.heads import head_of

Array = np.ndarray[Any, Any]

_SMALL = 0.01  # standard deviation of its first weights, as of `model.init: auto`


@dataclass(frozen=True)
class AuxColumn:
    """One auxiliary target.

    `loss`     ce (class numbers), mse, mae or huber (numbers, standardized)
    `weight`   of its loss, beside 1 of the task's
    `values`   (N,) float32, of the images of the index; NaN where it is not known
    `classes`  how many classes there are; 0 for numbers
    """

    name: str
    loss: str
    weight: float
    values: Array
    classes: int = 0

    def scaled(self, rows: Array) -> Array:
        """(N,) float32: class numbers as they are; numbers less the mean of the training rows,
        divided by their deviation."""
        if self.classes:
            return self.values
        known = self.values[rows][np.isfinite(self.values[rows])]
        if not len(known):
            return self.values
        spread = float(known.std())
        return np.asarray((self.values - known.mean()) / (spread or 1.0), dtype=np.float32)


@dataclass(frozen=True)
class AuxPart:
    """The auxiliary targets of some images: (B, K), NaN where unknown; under mixup and CutMix those
    of their partners too, and (B,) how much of an image is its own."""

    own: Tensor
    other: Tensor | None = None
    kept: Tensor | None = None

    def part(self, low: int, high: int) -> AuxPart:
        """Those of the images from `low` to `high`."""
        if self.other is None or self.kept is None:
            return AuxPart(self.own[low:high])
        return AuxPart(self.own[low:high], self.other[low:high], self.kept[low:high])


class AuxHead(nn.Module):
    """(B, D) features -> the outputs of all columns; `loss` compares them with their targets."""

    def __init__(self, columns: Sequence[AuxColumn], module: nn.Module) -> None:
        """module: the network whose last layer's input is read. ModelError where it has none."""
        super().__init__()
        last = head_of(module)
        inner = [m for m in last.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        if not inner:
            raise ModelError("data.aux: the last layer of this network reads no features")
        first = inner[0]
        width = first.in_features if isinstance(first, nn.Linear) else first.in_channels
        self.columns = tuple(columns)
        self.sizes = [column.classes or 1 for column in columns]
        self.layer = nn.Linear(width, sum(self.sizes))
        nn.init.trunc_normal_(self.layer.weight, std=_SMALL)
        nn.init.zeros_(self.layer.bias)
        self._features: Tensor | None = None
        last.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            self._features = inputs[0]

    def loss(self, target: AuxPart, images: int) -> Tensor:
        """The weighted sum of the losses of the last forward pass.

        Each is the sum over the images whose target is known, divided by `images`, the number in
        the whole batch: so parts of a batch add up.
        """
        features, self._features = self._features, None
        assert features is not None, "a forward pass comes first"
        outputs = self.layer(features.flatten(1)).float()
        found = self._sum(outputs, target.own, target.kept)
        if target.other is not None and target.kept is not None:
            found = found + self._sum(outputs, target.other, 1 - target.kept)
        return found / images

    def _sum(self, outputs: Tensor, target: Tensor, share: Tensor | None) -> Tensor:
        total = outputs.sum() * 0
        for number, part in enumerate(outputs.split(self.sizes, dim=1)):
            column, truth = self.columns[number], target[:, number]
            known = torch.isfinite(truth)
            truth = torch.where(known, truth, 0.0)
            each = _each(column.loss, part, truth)
            weights = known.float() if share is None else known.float() * share
            total = total + column.weight * (each * weights).sum()
        return total


def _each(loss: str, outputs: Tensor, truth: Tensor) -> Tensor:
    """(B,) the loss of each image."""
    if loss == "ce":
        return functional.cross_entropy(outputs, truth.long(), reduction="none")
    functions = {"mse": functional.mse_loss, "mae": functional.l1_loss}
    found: Tensor = functions.get(loss, functional.huber_loss)(
        outputs[:, 0], truth, reduction="none"
    )
    return found


def aux_matrix(columns: Sequence[AuxColumn], train_rows: Array) -> Array:
    """(N, K) float32: the targets of all images of the index."""
    return np.stack([column.scaled(train_rows) for column in columns], axis=1).astype(np.float32)
