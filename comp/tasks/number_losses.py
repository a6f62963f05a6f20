"""The losses of numbers. Each takes what a network gives and the target, both on the scale that it
predicts (`data.transform`), and gives the mean over images and columns.

Errors are in standard deviations of the training part (`Terms.spread`), so that a learning rate
means the same for prices as for shares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Spread(Protocol):
    """What a loss of numbers needs of `comp.tasks.losses.Terms`."""

    @property
    def spread(self) -> Tensor | None:
        """(C,) the standard deviation of each column in the training part; None: 1."""


NumberLoss = Callable[["Tensor", "Tensor"], "Tensor"]
_LEAST_LOG, _MOST_LOG = -10.0, 10.0  # of a variance, in squares of the spread


def _errors(outputs: Tensor, target: Tensor, terms: Spread) -> Tensor:
    errors = outputs[:, : target.shape[1]].float() - target.float()
    return errors if terms.spread is None else errors / terms.spread


def _mean_of(cells: Callable[[Tensor], Tensor]) -> Callable[[Spread], NumberLoss]:
    def make(terms: Spread) -> NumberLoss:
        return lambda outputs, target: cells(_errors(outputs, target, terms)).mean()

    return make


def _huber(errors: Tensor) -> Tensor:
    """Half the square up to one standard deviation, then linear (Huber 1964)."""
    from torch.nn.functional import huber_loss

    return huber_loss(errors, errors.new_zeros(()).expand_as(errors), reduction="none")


def _log_cosh(errors: Tensor) -> Tensor:
    """log(cosh(e)), without overflow: |e| + log(1 + exp(-2|e|)) - log 2."""
    from torch.nn.functional import softplus

    size = errors.abs()
    return size + softplus(-2 * size) - 0.6931471805599453


def _gaussian_nll(terms: Spread) -> NumberLoss:
    """Nix & Weigend 1994: the network gives a mean and the logarithm of a variance (in squares of
    the spread) for each column."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        columns = target.shape[1]
        logs = outputs[:, columns : 2 * columns].float().clamp(_LEAST_LOG, _MOST_LOG)
        errors = _errors(outputs, target, terms)
        return (0.5 * (logs + errors.square() * (-logs).exp())).mean()

    return loss


NUMBER_LOSSES: dict[str, Callable[[Spread], NumberLoss]] = {
    "mse": _mean_of(lambda errors: errors.square()),
    "mae": _mean_of(lambda errors: errors.abs()),
    "huber": _mean_of(_huber),
    "log_cosh": _mean_of(_log_cosh),
    "gaussian_nll": _gaussian_nll,
}
_WITH_VARIANCE = "gaussian_nll"
# that a network with one number per image takes for grades, see `comp.tasks.grades`
GRADE_LOSSES = [name for name in NUMBER_LOSSES if name != _WITH_VARIANCE]


def outputs_per_number(loss: str | dict[str, float]) -> int:
    """How many outputs a network has for each column of numbers with this `train.loss`."""
    names = [loss] if isinstance(loss, str) else [*loss]
    return 2 if _WITH_VARIANCE in names else 1
