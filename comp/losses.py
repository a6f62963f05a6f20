"""The losses. Each takes logits and targets in the form of its link and gives a mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comp.errors import ConfigError, pick

if TYPE_CHECKING:
    from torch import Tensor

LossFunction = Callable[["Tensor", "Tensor"], "Tensor"]


@dataclass(frozen=True)
class Loss:
    """A loss: the link it belongs to, and how to make it from the label smoothing in [0, 1)."""

    link: str
    make: Callable[[float], LossFunction]


def _bce(smoothing: float) -> LossFunction:
    from torch.nn.functional import binary_cross_entropy_with_logits

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(
            logits.float(), target.float() * (1 - smoothing) + smoothing / 2
        )

    return loss


def _ce(smoothing: float) -> LossFunction:
    from torch.nn.functional import cross_entropy

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(logits.float(), target, label_smoothing=smoothing)

    return loss


LOSSES = {"bce": Loss("sigmoid", _bce), "ce": Loss("softmax", _ce)}


def make_loss(name: str, link: str, smoothing: float = 0.0) -> LossFunction:
    """The loss `name` for a task of `link`; ConfigError when it is unknown or of the other link."""
    loss = pick(LOSSES, name, "loss")
    if loss.link != link:
        fitting = [other for other, entry in LOSSES.items() if entry.link == link]
        raise ConfigError(
            f"train.loss: {name!r} is for {loss.link} outputs, this task has {link}; "
            f"use one of: {', '.join(fitting)}"
        )
    return loss.make(smoothing)
